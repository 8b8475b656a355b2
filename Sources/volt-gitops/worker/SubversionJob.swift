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

    init(_ request: SourceRequest, events: EventWriter) throws(VoltError) {
        let repository = request.repository
        self.request = request
        self.events = events
        url = try RepositoryURL(
            repository.url, system: .svn,
            policy: .init(allowsHTTP: repository.allowsHTTP, allowsFile: repository.allowsFile))
        branch = try BranchName(repository.branch)
        mirror = try MirrorDirectory(request.mirror)
        try Files.makeDirectory(mirror.home, mode: 0o700)
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
        let candidates = SubversionCommand.candidates(url: url.text, branch: branch)
        // Once the branch was found below the URL, its absence means that it was deleted, and not that
        // the URL itself, with every branch in it, is meant.
        let mark = mirror.mark(of: "branch", "\(url.text) \(branch)")
        for candidate in Files.exists(mark) ? candidates.prefix(1) : candidates[...] {
            let result = try program.run(command.info(candidate), input: password)
            if result.status == 0, let info = SubversionCommand.info(in: result.stdout) {
                if candidates.count > 1, candidate == candidates[0], !Files.exists(mark) {
                    try Files.replace(mark, with: "\(candidate)\n".utf8)
                }
                return (candidate, info)
            }
            guard SubversionCommand.saysAbsent(result.stderr) else {
                throw SubversionCommand.error(result.stderr, url: candidate)
            }
        }
        throw VoltError(
            .notFound, "'\(url.text)' has no branch '\(branch)'",
            hint: "check the URL and the branch with 'svn list'")
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
