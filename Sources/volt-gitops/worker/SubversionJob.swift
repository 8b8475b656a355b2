import GitopsSource
import Glibc
import VoltCore
import VoltSystem

/// Reads a Subversion repository through svn(1).
struct SubversionJob {
    private let request: SourceRequest
    private let events: EventWriter
    private let url: RepositoryURL
    private let branch: BranchName
    private let mirror: MirrorDirectory
    private let command: SubversionCommand
    private let program: ChildProgram
    private let password: [UInt8]
    /// Whether the mirror was made by a Volt that takes a branch at its word. Earlier ones read the URL itself when the
    /// branch was not there, and their pipelines go on.
    private let isStrict: Bool

    init(_ request: SourceRequest, events: EventWriter) throws(VoltError) {
        let repository = request.repository
        self.request = request
        self.events = events
        url = try RepositoryURL(
            repository.url, system: .svn,
            policy: .init(allowsHTTP: repository.allowsHTTP, allowsFile: repository.allowsFile))
        branch = try BranchName(repository.branch)
        mirror = try MirrorDirectory(request.mirror)
        let strict = mirror.strict
        if !Files.exists(mirror.home) {
            try Files.replace(strict, with: [])
            try Files.makeDirectory(mirror.home, mode: 0o700)
        }
        isStrict = Files.exists(strict)
        if let file = repository.tokenFile {
            guard url.transport != .http || url.isLoopback else {
                throw VoltError(
                    .refused, "the password in '\(file)' would be sent unencrypted to '\(url.host)'",
                    hint: "use https://")
            }
            password = Array(try Secret.read(file).utf8) + [10]
        } else {
            password = []
        }
        command = SubversionCommand(
            configuration: "\(mirror.home)/subversion", username: repository.username ?? url.user,
            readsPassword: !password.isEmpty, caFile: repository.caFile,
            proxy: try repository.proxy.map { (text) throws(VoltError) in try ProxyAddress(text) })
        let path = Environment.current["PATH"] ?? "/usr/local/bin:/usr/bin:/bin"
        guard let executable = ChildProgram.find("svn", path: path) else {
            throw VoltError(.missing, "'svn' is not installed", hint: "install the package subversion")
        }
        program = ChildProgram(
            executable: executable,
            environment: ["PATH": path, "HOME": mirror.home, "LC_ALL": "C.UTF-8", "SVN_SSH": "/bin/false"])
    }

    func run() throws {
        let (location, info) = try locate()
        switch request.action {
        case .locate: events.write(.located(url: location))
        case .hostKey: throw VoltError(.usage, "a Subversion server has no host key")
        case .tip:
            events.write(.origin(text: "\(info.repository) \(info.date)"))
            events.write(.tip(commit: String(info.revision)))
        case .snapshot:
            guard let snapshot = request.snapshot else {
                throw VoltError(.usage, "the request names no snapshot")
            }
            let lock = try mirror.lock()
            try take(snapshot, location, info)
            _ = consume lock
        }
    }

    /// The URL that the repository and the branch stand for, and what it names now.
    private func locate() throws -> (url: String, info: SubversionCommand.Info) {
        let below = SubversionCommand.below(url: url.text, branch: branch)
        // A branch that was found below the URL stays meant, though the URL ends like one.
        let mark = mirror.mark(of: "branch", "\(url.text) \(branch)")
        let isBelow = Files.exists(mark)
        if !isBelow, let location = SubversionCommand.location(url: url.text, branch: branch) {
            guard let info = try info(location) else { throw absent(location) }
            return (location, info)
        }
        if let info = try info(below) {
            if !isBelow { try Files.replace(mark, with: "\(below)\n".utf8) }
            return (below, info)
        }
        // Pipelines of before the mark of strictness took the URL itself; once the branch was there it never is meant.
        if !isBelow, !isStrict, request.action != .locate, let info = try info(url.text) {
            return (SubversionCommand.trimmed(url.text), info)
        }
        throw absent(below)
    }

    /// What a URL names; nil when it names nothing.
    private func info(_ url: String) throws -> SubversionCommand.Info? {
        let result = try program.run(command.info(url), input: password)
        if result.status == 0, let info = SubversionCommand.info(in: result.stdout) { return info }
        guard SubversionCommand.saysAbsent(result.stderr) else {
            throw SubversionCommand.error(result.stderr, url: url)
        }
        return nil
    }

    /// The error for a branch that is not there, with what is.
    private func absent(_ location: String) -> VoltError {
        let parent = Files.parent(of: branch.text)
        let base = SubversionCommand.trimmed(url.text)
        var there: [String] = []
        for directory in parent.isEmpty || parent == "/" || parent == "." ? [""] : ["", parent + "/"] {
            let place = directory.isEmpty ? base : "\(base)/\(directory.dropLast())"
            guard let result = try? program.run(command.list(place), input: password), result.status == 0
            else { continue }
            there += result.stdout.split(separator: "\n").map { "\(directory)\($0)" }
        }
        let names = there.prefix(10).map { PrintableText.line($0, limit: 100) }.joined(separator: ", ")
        let own = Files.lastComponent(of: base)
        return VoltError(
            .notFound,
            "'\(url.text)' has no branch '\(branch)'"
                + (there.isEmpty ? "" : "; there is: \(names)\(there.count > 10 ? ", …" : "")"),
            hint: there.isEmpty
                ? "check the URL with 'svn list'"
                : "name one of them with --branch; '--branch \(own)' is '\(base)' itself")
    }

    private func take(_ path: String, _ location: String, _ info: SubversionCommand.Info) throws {
        let tip = info.revision
        guard let revision = request.commit.map({ Int($0) }) ?? tip, revision > 0 else {
            throw VoltError(.usage, "'\(request.commit ?? "")' is not a revision")
        }
        let log = try program.run(command.log(location, revision: revision), input: password)
        let commit = SubversionCommand.commit(inLog: log.stdout)
        let snapshot = try SnapshotDirectory(path, mirror: mirror)
        try snapshot.requireAbsent(unlessNamed: request.commit)
        if !snapshot.exists {
            try snapshot.fill { directory in
                // For the tip, the URL of today; an older revision may be of a path that was replaced since.
                try export(
                    location, revision, pegs: revision == tip ? ["HEAD"] : [String(revision), "HEAD"],
                    into: directory)
                _ = try ExportedTree(directory)
                tellExternals(location, revision)
                guard try locate().info.repository == info.repository else {
                    throw VoltError(
                        .tryAgain, "'\(location)' became another repository while it was read",
                        hint: "the next poll reads it again")
                }
            }
        }
        let date = revision == tip ? info.date : commit.date
        events.write(.origin(text: "\(info.repository) \(date)"))
        let tree = try ExportedTree(path)
        events.write(
            .snapshot(
                commit: String(revision), subject: commit.subject, author: commit.author, files: tree.files,
                bytes: tree.bytes))
    }

    /// Externals are of other places, perhaps of other hosts, and are never fetched: the log says what is left out.
    private func tellExternals(_ location: String, _ revision: Int) {
        guard
            let found = try? program.capture(
                command.externals(location, revision: revision, peg: String(revision)), input: password,
                limit: 1 << 20), found.status == 0
        else {
            return events.write(.note(message: "svn:externals, if there are any, are left out"))
        }
        let lines = SubversionCommand.externals(
            in: String(decoding: found.stdout, as: UTF8.self), below: location)
        for line in lines.prefix(20) {
            events.write(.note(message: "svn:externals are left out: \(line)"))
        }
        if lines.count > 20 {
            events.write(.note(message: "\(lines.count - 20) more svn:externals are left out"))
        }
    }

    private func export(_ location: String, _ revision: Int, pegs: [String], into directory: String) throws {
        var message = ""
        for peg in pegs {
            var lines = 0
            let limit = ExportedTree.Limits().entries
            let arguments = command.export(location, revision: revision, peg: peg, into: directory)
            let result = try program.run(arguments, input: password) {
                lines += 1
                // Two lines come after the names.
                guard lines <= limit + 2 else {
                    throw VoltError(
                        .refused, "the tree of the revision is refused: it has more than \(limit) files")
                }
                events.progress(received: lines, total: 0, bytes: 0)
            }
            if result.status == 0 {
                // Some versions export the newest revision when the wanted one is not there yet.
                guard result.stdout.hasSuffix("Exported revision \(revision).\n") else {
                    throw VoltError(.failed, "'\(location)' has no revision \(revision)")
                }
                return
            }
            message = result.stderr
            if !SubversionCommand.saysAbsent(message) { break }
        }
        throw SubversionCommand.error(message, url: location)
    }
}
