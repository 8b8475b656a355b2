import GitopsSource
import Glibc
import VoltCore
import VoltGit
import VoltSystem

/// Reads a Git repository.
struct GitJob {
    private let request: SourceRequest
    private let events: EventWriter
    private let url: RepositoryURL
    private let target: GitTarget
    private let mirror: MirrorDirectory
    private let access: GitAccess

    init(_ request: SourceRequest, events: EventWriter) throws {
        let repository = request.repository
        self.request = request
        self.events = events
        url = try RepositoryURL(
            repository.url, system: .git,
            policy: .init(allowsHTTP: repository.allowsHTTP, allowsFile: repository.allowsFile))
        target = try GitTarget(repository)
        mirror = try MirrorDirectory(request.mirror)
        access = try GitAccess(repository, url: url, events: events)
        if url.transport == .ssh {
            // libgit2 asks the server for the types of host key that `~/.ssh/known_hosts` has for it; any
            // other type would be one that is not pinned. The thread that watches the parent reads no variable.
            Environment.set("HOME", mirror.home)
            try Files.makeDirectory("\(mirror.home)/.ssh", mode: 0o700)
            // libssh2 gives up at a line that it does not know and compares patterns by their letters: it
            // gets the lines of this host alone, written anew.
            let pinned = try KnownHosts(reading: repository.knownHostsFile)
            let lines = Array(pinned.lines(host: url.host, port: url.port ?? 22).utf8)
            let known = "\(mirror.home)/.ssh/known_hosts"
            if (try? Files.read(known)) != lines {
                try Files.replace(known, with: lines, mode: 0o600)
            }
        }
    }

    func run() throws {
        switch request.action {
        case .hostKey: throw VoltError(.usage, "the request is for the job of host keys")
        case .locate: events.write(.located(url: url.text))
        case .tip:
            try start()
            let tip = try target.tip { () throws(VoltError) in try GitRemote(access) }
            if let ref = tip.ref { events.write(.ref(name: ref)) }
            events.write(.tip(commit: tip.commit))
        case .snapshot:
            guard let snapshot = request.snapshot else {
                throw VoltError(.usage, "the request names no snapshot")
            }
            try start()
            let lock = try mirror.lock()
            do { try take(snapshot) } catch let damage as GitDamage {
                // The second time it is the server that is damaged.
                events.write(.note(message: "the mirror is made again: \(damage.reason)"))
                try Files.removeTree(mirror.repository)
                do { try take(snapshot) } catch let damage as GitDamage {
                    throw VoltError(.failed, "'\(url.text)' sent a damaged repository: \(damage.reason)")
                }
            }
            _ = consume lock
        }
    }

    private func start() throws(VoltError) {
        try GitLibrary.start(home: mirror.home, caFile: request.repository.caFile)
    }

    /// Whether a commit has an announced one in its history. What was announced may be any object, or none.
    private func has(_ announced: String, in commit: String, of mirror: GitMirror) throws -> Bool {
        guard mirror.contains(announced), try mirror.isCommit(announced) else { return false }
        return try mirror.descends(commit, from: announced)
    }

    /// The commit to be taken, fetched where the mirror does not have it, and the name by which it was found.
    private func resolve(in mirror: GitMirror) throws -> (commit: String, ref: String?) {
        if let wanted = request.commit, mirror.contains(wanted) { return (wanted, nil) }
        let remote = try mirror.remote(access)
        let tip = try target.tip { remote }
        // The object of a tag may be new where its commit is not.
        let needsTag = request.conditions?.signers != nil && target.isOfTags
        if !mirror.contains(tip.commit) || needsTag {
            if let ref = tip.ref {
                try mirror.fetch(ref, tip: tip.commit, from: remote)
            } else {
                try mirror.fetch(GitTarget.everything, from: remote)
            }
        }
        let commit = request.commit ?? tip.commit
        guard mirror.contains(commit) else {
            throw VoltError(
                .notFound,
                "commit '\(commit.prefix(12))' is not on \(target) of '\(url.text)' (any more)",
                hint: target.isPinned ? "push it to a branch, or tag it" : "deploy the tip of the branch")
        }
        if let ref = tip.ref { events.write(.ref(name: ref)) }
        return (commit, tip.ref)
    }

    private func take(_ path: String) throws {
        let snapshot = try SnapshotDirectory(path, mirror: mirror)
        try snapshot.requireAbsent(unlessNamed: request.commit)
        let mirror = try GitMirror(at: mirror.repository)
        if let wanted = request.commit, snapshot.exists, !mirror.contains(wanted) {
            // The mirror was made again since, and the server may have the commit no more.
            let tree = try ExportedTree(path)
            return events.write(
                .snapshot(commit: wanted, subject: "", author: "", files: tree.files, bytes: tree.bytes))
        }
        let (commit, ref) = try resolve(in: mirror)
        guard try mirror.isCommit(commit) else {
            throw VoltError(.refused, "\(target) of '\(url.text)' is not of a commit", hint: "tag a commit")
        }
        if let announced = request.announced, try !has(announced, in: commit, of: mirror) {
            events.write(.unseen)
        }
        let keepsSubmodules = request.repository.submodules == true
        let plan = try mirror.plan(
            commit, submodules: keepsSubmodules, pointers: request.repository.lfs == true)
        if let conditions = request.conditions {
            let gate = CommitGate(
                conditions, target: target, mirror: mirror, home: self.mirror.home, events: events)
            if let decline = try gate.decline(commit, ref: ref) {
                return events.write(
                    .declined(commit: commit, reason: decline.reason, hint: decline.hint))
            }
        }
        var modules = Submodules(request.repository, origin: url, mirror: self.mirror, events: events)
        var largeBytes = 0
        if !snapshot.exists {
            try snapshot.fill { staging in
                try mirror.write(plan, into: staging)
                largeBytes = try LargeFiles(
                    request.repository, origin: url, mirror: self.mirror
                ).fill(staging, of: plan)
                try modules.fill(staging, of: plan, in: mirror, at: url, more: largeBytes)
            }
        }
        for note in plan.notes + modules.notes { events.write(.note(message: note)) }
        events.write(
            .snapshot(
                commit: commit, subject: plan.commit.subject, author: plan.commit.author,
                files: plan.files + modules.files, bytes: plan.bytes + modules.bytes + largeBytes))
    }
}

extension GitAccess {
    /// - Throws: `VoltError` when a file with a secret cannot be read, or would be sent where it must not.
    init(_ repository: RepositoryAccess, url: RepositoryURL, events: EventWriter) throws(VoltError) {
        var credential = GitCredential.none
        if url.transport == .https || url.transport == .http, let file = repository.tokenFile {
            guard url.transport == .https || url.isLoopback else {
                throw VoltError(
                    .refused, "the token in '\(file)' would be sent unencrypted to '\(url.host)'",
                    hint: "use https://")
            }
            credential = .token(
                username: repository.username ?? url.user ?? "git", token: try Secret.read(file))
        } else if url.transport == .ssh, let file = repository.sshKeyFile {
            guard Files.exists(file) else {
                throw VoltError(.notFound, "cannot open '\(file)': no such file")
            }
            let bytes = try Files.read(file, limit: PrivateKeyFile.longest)
            credential = .sshKey(path: file, isRSA: PrivateKeyFile.isRSA(bytes))
        }
        let keys = try KnownHosts(reading: url.transport == .ssh ? repository.knownHostsFile : nil)
        self.init(
            url: url.text, user: url.user ?? repository.username ?? "git", credential: credential,
            mayBeSent: { asked in
                guard
                    let other = try? RepositoryURL(
                        asked, system: .git, policy: .init(allowsHTTP: true, allowsFile: true))
                else { return false }
                return other.transport == url.transport && other.host == url.host && other.port == url.port
            },
            checkHostKey: { (key) throws(VoltError) in try keys.require(key, url: url) },
            progress: { events.progress(received: $0, total: $1, bytes: $2) })
        if let proxy = repository.proxy {
            // libgit2 1.5 uses a proxy for https alone and would go past it for http.
            guard url.transport == .https else {
                throw VoltError(
                    .usage, "'\(url.text)' is not reached through a proxy",
                    hint: "use https://, or leave --proxy out")
            }
            self.proxy = try ProxyAddress(proxy).url
        }
    }
}

extension KnownHosts {
    /// The keys in a file, or none without one.
    init(reading file: String?) throws(VoltError) {
        guard let file else {
            self.init("")
            return
        }
        self.init(String(decoding: try Files.read(file, limit: Self.longest), as: UTF8.self))
    }

    /// Refuses a host key that is not pinned, in words that say what to do.
    func require(_ key: GitHostKey, url: RepositoryURL) throws(VoltError) {
        let place = url.port.map { "\(url.host):\($0)" } ?? url.host
        let type = KnownHosts.type(of: key.bytes) ?? "unknown"
        let shown = "\(type) \(KnownHosts.fingerprint(of: key.bytes))"
        switch verdict(host: url.host, port: url.port ?? 22, key: key.bytes) {
        case .pinned: return
        case .unknown:
            throw VoltError(
                .refused, "host key of '\(place)' is not pinned (it showed \(shown))",
                hint: "compare it with what its owner publishes, then add it with --known-hosts FILE")
        case .differs(let types) where !types.contains(type):
            throw VoltError(
                .refused,
                "host key of '\(place)' is not pinned: it showed \(shown), and the pinned ones are "
                    + types.joined(separator: ", "),
                hint: "add this key to the file of --known-hosts after comparing it")
        case .differs:
            throw VoltError(
                .refused,
                "host key of '\(place)' has changed: it showed \(shown), which is not the pinned one",
                hint: "somebody may be in between; ask its owner before you change the file of --known-hosts")
        case .revoked:
            throw VoltError(.refused, "host key of '\(place)' is marked @revoked (it showed \(shown))")
        }
    }
}

/// A secret in a file.
enum Secret {
    /// The longest token or password, in bytes.
    private static let longest = 16 << 10

    /// The text of the file without the line feed at its end.
    static func read(_ path: String) throws(VoltError) -> String {
        var bytes = try Files.read(path, limit: longest)
        while let last = bytes.last, last == 10 || last == 13 { bytes.removeLast() }
        guard !bytes.isEmpty, bytes.allSatisfy({ $0 >= 32 && $0 != 127 }) else {
            throw VoltError(.usage, "'\(path)' does not hold a token on one line")
        }
        return String(decoding: bytes, as: UTF8.self)
    }
}
