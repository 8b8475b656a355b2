import FoundationEssentials
import GitopsEngine
import Glibc
import Testing
import VoltCore
import VoltCrypto
import VoltSystem
import VoltTestKit

/// A host of a test's own: a VOLT_ROOT, a Git repository, and `volt-probe`, a kind of workload whose tool
/// stops at each step until the test lets it go.
final class Host: Sendable {
    let directory: String
    let secret = Array("It's a Secret to Everybody".utf8)
    let tool: ToolRunner

    init() throws {
        directory =
            "\(Environment.current["TMPDIR"] ?? "/tmp")/volt-gitops-\(getpid())-\(UInt32.random(in: 0...UInt32.max))"
        for name in ["", "/bin", "/gates", "/repository"] { try Files.makeDirectory(directory + name) }
        var tool = ToolRunner(scratch: directory)
        tool.environment["PATH"] = "\(directory)/bin:\(tool.environment["PATH"] ?? "")"
        tool.environment["PROBE"] = directory
        // What was announced and is not there is asked for again soon.
        tool.environment["VOLT_GITOPS_REFETCH"] = "100,300,400"
        for (key, value) in ["NAME": "a", "EMAIL": "a@example.invalid"] {
            tool.environment["GIT_AUTHOR_\(key)"] = value
            tool.environment["GIT_COMMITTER_\(key)"] = value
        }
        self.tool = tool
        try Files.replace("\(directory)/secret", with: secret + [10], mode: 0o600)
        try Files.replace("\(directory)/bin/volt-probe", with: Self.probe.utf8, mode: 0o755)
        try Files.makeDirectory("\(directory)/share/volt/commands")
        try Files.replace("\(directory)/share/volt/commands/probe.json", with: Self.registration.utf8)
        try git("init", "-q", "-b", "main", ".")
        try commit("one")
    }

    deinit { try? Files.removeTree(directory) }

    /// What makes `probe` a kind of workload on the host.
    static let registration =
        #"{"contract": 1, "name": "probe", "version": "1", "summary": "apply probes", "kinds": ["probe"]}"#

    /// Writes a line a step into `applied`, and waits at a step while its gate is a file in `gates`. The file
    /// `running` has the commit that runs. A commit with the file `broken` fails; one with `fatal` fails and
    /// takes what ran before down with it.
    private static let probe = """
        #!/bin/sh
        trap 'echo "stopped $revision" >>"$PROBE/applied"; exit 75' TERM
        verb=$1
        while [ $# -gt 0 ]; do
            [ "$1" != --revision ] || revision=$2
            [ "$1" != --source ] || source=$2
            [ "$1" != --dry-run ] || dry=1
            shift
        done
        if [ "$verb" = status ]; then
            [ ! -e "$PROBE/status" ] || exec cat "$PROBE/status"
            state=absent
            [ ! -e "$PROBE/running" ] || state=running
            echo '{"workload":"web","health":"none","restarts":0,"state":"'$state'"}'
            exit 0
        fi
        if [ "$verb" = list ]; then
            [ -e "$PROBE/list" ] || exit 64
            exec cat "$PROBE/list"
        fi
        if [ -n "$dry" ]; then
            [ ! -e "$source/broken" ] || { echo '{"error":"it cannot be read"}' >&2; exit 1; }
            echo '{"event":"plan","service":"web","change":"replace","reasons":["image"]}'
            exit 0
        fi
        if [ "$verb" != apply ]; then
            echo "$verb" >>"$PROBE/applied"
            while [ -e "$PROBE/gates/$verb" ]; do sleep 0.02; done
            exit 0
        fi
        at() {
            printf '{"event":"step","step":"%s","state":"started","at":"2026-01-01T00:00:00.000Z"}\\n' "$1"
            echo "$1 $revision" >>"$PROBE/applied"
            while [ -e "$PROBE/gates/$1" ] || [ -e "$PROBE/gates/$1-$revision" ]; do sleep 0.02; done
        }
        for step in prepare start check; do at $step; done
        [ ! -e "$source/fatal" ] || rm -f "$PROBE/running"
        if [ -e "$source/broken" ] || [ -e "$source/fatal" ]; then
            echo '{"event":"log","stream":"stderr","line":"it does not start"}'
            echo '{"event":"result","status":"failed","message":"the health check failed"}'
            exit 1
        fi
        at switch
        echo "$source" >"$PROBE/source"
        cp "$source/text" "$PROBE/text" 2>/dev/null
        echo "$revision" >"$PROBE/running.$$"
        mv "$PROBE/running.$$" "$PROBE/running"
        at stop-old
        echo "done $revision" >>"$PROBE/applied"
        echo '{"event":"result","status":"deployed","generation":"1","message":"deployed"}'

        """

    // MARK: The repository

    var repository: String { "file://\(directory)/repository" }

    @discardableResult
    func git(_ words: String...) throws -> String {
        let result = try tool.run(["git", "-C", "\(directory)/repository"] + words)
        try #require(result.status == 0, "git \(words): \(result.stderr)")
        return result.stdout.filter { $0 != "\n" }
    }

    /// Commits a manifest of kind probe and the files, and gives the commit id.
    @discardableResult
    func commit(_ message: String, files: [String: String] = [:], without removed: [String] = []) throws
        -> String
    {
        var all = ["volt-manifest.yaml": "apiVersion: volt/v1\nkind: probe\nspec: {}\n", "text": message]
        all.merge(files) { $1 }
        for (name, text) in all where !removed.contains(name) {
            try Files.replace("\(directory)/repository/\(name)", with: text.utf8)
        }
        for name in removed { try Files.remove("\(directory)/repository/\(name)") }
        try git("add", "-A", ".")
        try git("commit", "-q", "-m", message)
        return try git("rev-parse", "HEAD")
    }

    // MARK: The tool

    func gitops(_ words: String...) throws -> ToolRunner.Result { try tool.run(["volt-gitops"] + words) }

    /// Creates the pipeline `site`, which is not polled while the test runs.
    func createSite(_ more: String..., provider: String = "github") throws {
        let result = try tool.run(
            [
                "volt-gitops", "create", "--name", "site", "--repo", repository, "--provider", provider,
                "--branch", "main", "--workload", "web", "--secret-file", "\(directory)/secret",
                "--allow-file",
                "--poll-interval", "86400",
            ] + more)
        try #require(result.status == 0, "create: \(result.stderr)")
    }

    /// The lines that the probe wrote.
    var applied: [String] {
        let bytes = (try? Files.read("\(directory)/applied")) ?? []
        return String(decoding: bytes, as: UTF8.self).split(separator: "\n").map(String.init)
    }

    /// The commit that the probe runs.
    var running: String? {
        (try? Files.read("\(directory)/running")).map {
            String(decoding: $0, as: UTF8.self).filter { $0 != "\n" }
        }
    }

    /// The history of the pipeline `site`, the newest first, as `logs -o json` has it.
    func history() throws -> [Attempt] {
        let text = try gitops("logs", "--name", "site", "--limit", "1000", "-o", "json").stdout
        return try JSONDecoder().decode([Attempt].self, from: Data(text.utf8))
    }

    /// Delivers a push of a commit to a server.
    @discardableResult
    func deliver(_ commit: String, to server: Serve) throws -> Int {
        let body = push(commit: commit)
        let id = "d-\(UInt32.random(in: 0...UInt32.max))"
        return try server.request(
            "POST", "/hooks/github", headers: headers(delivery: id, body: body), body: body
        ).status
    }

    func close(gate: String) throws { try Files.replace("\(directory)/gates/\(gate)", with: []) }

    func open(gate: String) throws { try Files.remove("\(directory)/gates/\(gate)") }

    /// Waits until something holds; fails the test after twenty seconds.
    func wait(_ what: String, until holds: () throws -> Bool) throws {
        let end = ContinuousClock.now + .seconds(20)
        while try !holds() {
            try #require(ContinuousClock.now < end, "waited in vain: \(what)")
            usleep(10_000)
        }
    }

    // MARK: Deliveries

    /// The body of GitHub's push event.
    func push(branch: String = "main", commit: String) -> [UInt8] {
        Array(
            """
            {"ref":"refs/heads/\(branch)","after":"\(commit)","repository":{"clone_url":"\(repository)"}}
            """.utf8)
    }

    func headers(delivery: String, body: [UInt8], secret: [UInt8]? = nil) -> [(String, String)] {
        [
            ("Content-Type", "application/json"), ("X-GitHub-Event", "push"), ("X-GitHub-Delivery", delivery),
            (
                "X-Hub-Signature-256",
                "sha256=" + Hex.encode(HMAC.sha256(key: secret ?? self.secret, message: body))
            ),
        ]
    }
}

/// A running `volt-gitops serve` on a port of its own.
final class Serve {
    let pid: Int32
    let port: UInt16
    private let log: String
    private let isTraced: Bool
    private var ended = false

    /// - Parameters:
    ///   - prefix: what the server is run by, such as strace and its options.
    ///   - options: further options of `serve`.
    ///   - scheme: what it says it listens on.
    init(_ host: Host, by prefix: [String] = [], with options: [String] = [], scheme: String = "http") throws
    {
        log = "\(host.directory)/serve-\(UInt32.random(in: 0...UInt32.max)).log"
        isTraced = !prefix.isEmpty
        let output = creat(log, 0o600)
        defer { close(output) }
        let words =
            ["/usr/bin/env", "-C", host.directory, "--"] + prefix
            + ["\(ToolRunner.products)/volt-gitops", "serve", "--port", "0", "--listen", "127.0.0.1"]
            + options
        pid = try Processes.spawnDetached(
            words[0], Array(words.dropFirst()), environment: host.tool.environment, descriptors: [2: output])
        var found: UInt16?
        let log = self.log
        try host.wait("for the server to listen") {
            let text = String(decoding: try Files.read(log), as: UTF8.self)
            found = text.firstRange(of: "listening on \(scheme)://127.0.0.1:").flatMap {
                UInt16(text[$0.upperBound...].prefix { $0.isNumber })
            }
            return found != nil
        }
        port = try #require(found)
    }

    deinit { if !ended { end(SIGKILL) } }

    var text: String { String(decoding: (try? Files.read(log)) ?? [], as: UTF8.self) }

    /// Sends a signal and waits for the end.
    @discardableResult
    func end(_ signal: Int32) -> Int32 {
        ended = true
        // What strace traces goes on when strace is killed.
        let traced = isTraced ? children() : []
        kill(pid, signal)
        for child in traced { kill(child, SIGKILL) }
        var status: Int32 = 0
        while waitpid(pid, &status, 0) < 0, errno == EINTR {}
        return status
    }

    private func children() -> [Int32] {
        let text = (try? Files.read("/proc/\(pid)/task/\(pid)/children")) ?? []
        return String(decoding: text, as: UTF8.self).split(separator: " ").compactMap { Int32($0) }
    }

    func request(_ method: String, _ path: String, headers: [(String, String)] = [], body: [UInt8] = [])
        throws
        -> HTTPClient.Answer
    {
        try HTTPClient(port: port).request(method, path, headers: headers, body: body)
    }
}
