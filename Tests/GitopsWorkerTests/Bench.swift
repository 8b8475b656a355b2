import Dispatch
import GitopsSource
import Glibc
import Testing
import VoltCore
import VoltSystem
import VoltTestKit

/// A directory with repositories, a mirror and snapshots, and the worker run as the server runs it.
final class Bench {
    let scratch: ScratchDirectory
    var tools: ToolRunner
    var path: String { scratch.path }
    var mirror: String { "\(path)/mirror" }
    var repository: String { "\(path)/site.git" }

    /// An empty bare repository `site.git` and a clone of it, `work`.
    init() throws {
        scratch = try ScratchDirectory()
        tools = ToolRunner(scratch: scratch.path)
        let identity = ["AUTHOR", "COMMITTER"].flatMap {
            [("GIT_\($0)_NAME", "Ann Author"), ("GIT_\($0)_EMAIL", "ann@example.org")]
        }
        for (name, value) in identity { tools.environment[name] = value }
        tools.environment["GIT_CONFIG_NOSYSTEM"] = "1"
        try shell(
            "git init -q --bare -b main site.git && git init -q -b main work && git -C work remote add origin ../site.git"
        )
    }

    /// Runs a script of the test's own in the directory; a failure fails the test.
    @discardableResult
    func shell(_ script: String) throws -> String {
        let result = try tools.run(["sh", "-ec", script])
        try #require(result.status == 0, "\(script): \(result.stderr)")
        var text = result.stdout
        while text.hasSuffix("\n") { text.removeLast() }
        return text
    }

    /// Commits all of `work`, pushes it, and gives the commit.
    @discardableResult
    func push(_ subject: String = "change") throws -> String {
        try shell(
            "cd work && git add -A && git commit -q --allow-empty -m '\(subject)' && git push -qf origin HEAD:main && git rev-parse HEAD"
        )
    }

    func access(_ url: String, branch: String = "main", system: RepositoryAccess.System = .git)
        -> RepositoryAccess
    {
        RepositoryAccess(system: system, url: url, branch: branch)
    }

    func fileAccess(branch: String = "main") -> RepositoryAccess {
        var access = access("file://\(repository)", branch: branch)
        access.allowsFile = true
        return access
    }

    func snapshotRequest(_ access: RepositoryAccess, _ name: String, commit: String? = nil) -> SourceRequest {
        SourceRequest(
            action: .snapshot, repository: access, commit: commit, mirror: mirror,
            snapshot: "\(path)/snapshots/\(name)")
    }

    func tip(_ access: RepositoryAccess) throws -> Answer {
        try ask(SourceRequest(action: .tip, repository: access, mirror: mirror))
    }

    func snapshot(_ access: RepositoryAccess, _ name: String, commit: String? = nil) throws -> Answer {
        try ask(snapshotRequest(access, name, commit: commit))
    }

    /// Whether the libssh2 of this machine takes RSA keys (1.11 and newer).
    func signsRSAWithSHA2() throws -> Bool {
        let line = try tools.run(["volt-gitops--worker", "--libraries"]).stdout
        return try #require(SourceStream.libraries(line)).signsRSAWithSHA2
    }

    /// Runs the worker to its end.
    func ask(_ request: SourceRequest) throws -> Answer {
        let input = String(decoding: try SourceStream.encode(request), as: UTF8.self)
        let result = try tools.run(["volt-gitops--worker"], input: input)
        let events = try result.stdout.split(separator: "\n").map { try SourceStream.event($0.utf8) }
        return Answer(status: result.status, events: events, stdout: result.stdout, stderr: result.stderr)
    }

    /// Starts the worker, for the caller to kill.
    func start(_ request: SourceRequest) throws -> Int32 {
        try Files.replace("\(path)/request", with: try SourceStream.encode(request))
        let input = open("\(path)/request", O_RDONLY)
        defer { close(input) }
        return try Processes.spawnDetached(
            "\(ToolRunner.products)/volt-gitops--worker", [], environment: tools.environment,
            descriptors: [0: input])
    }

    func read(_ file: String) throws -> String {
        String(decoding: try Files.read("\(path)/snapshots/\(file)"), as: UTF8.self)
    }

    /// Names that a killed or failed run left beside the snapshots.
    var leftovers: [String] {
        get throws { try Files.list("\(path)/snapshots").filter { $0.hasPrefix(".") } }
    }
}

/// What the worker said.
struct Answer {
    let status: Int32
    let events: [SourceEvent]
    let stdout: String
    let stderr: String

    var tip: String? {
        if case .tip(let commit) = events.last { commit } else { nil }
    }
    var commit: String? {
        if case .snapshot(let commit, _, _, _, _) = events.last { commit } else { nil }
    }
    var failure: String {
        if case .failed(let code, let message, let hint) = events.last, code == status {
            "\(message)\(hint.map { "; \($0)" } ?? "")"
        } else {
            "no failure: \(status) \(stdout)\(stderr)"
        }
    }
    var notes: [String] {
        events.compactMap { if case .note(let message) = $0 { message } else { nil } }
    }
}

/// Kills a process that this one started and takes its status.
func killAndWait(_ pid: Int32, _ signal: Int32 = SIGKILL) {
    kill(pid, signal)
    var status: Int32 = 0
    while waitpid(pid, &status, 0) < 0, errno == EINTR {}
}

/// Waits for something that another process brings about, for at most a minute.
func eventually(_ what: String, _ condition: () throws -> Bool) throws {
    let end = ContinuousClock.now + .seconds(60)
    while try !condition() {
        try #require(ContinuousClock.now < end, "\(what)")
        usleep(1000)
    }
}

/// A program that runs until the value goes away.
final class Background {
    let pid: Int32

    init(_ executable: String, _ arguments: [String], environment: [String: String], log: String) throws {
        let output = open(log, O_WRONLY | O_CREAT, 0o600)
        defer { close(output) }
        pid = try Processes.spawnDetached(
            executable, arguments, environment: environment, descriptors: [1: output, 2: output])
    }

    // It leads a session, and servers such as Apache have workers in it that outlive their parent.
    deinit {
        kill(-pid, SIGKILL)
        killAndWait(pid)
    }
}

/// Whether something listens on a port of 127.0.0.1.
func listens(_ port: UInt16) -> Bool {
    guard let connection = Gate.connect(to: port) else { return false }
    close(connection)
    return true
}
