internal import FoundationEssentials
internal import GitopsSource
internal import VoltCore
internal import VoltCrypto
internal import VoltSystem

/// The tree of a commit on disk.
struct Snapshot: Sendable, Equatable {
    /// The commit id or SVN revision.
    let commit: String
    /// The directory, whole, that is named after the commit; empty when the commit was declined.
    let directory: String
    /// See `Attempt.origin`; nil for a kept one that an earlier Volt wrote.
    let origin: String?
    /// The ref that was taken, as people read it; nil for a commit that was named.
    var ref: String?
    /// Whether no file that matters has changed since the deployed commit.
    var isUnaffected = false
    /// Whether the announced commit is not in its history.
    var isUnseen = false
    /// Why the commit is not taken, and what can be done.
    var decline: Decline?

    /// The name of the directory.
    var name: String { String(directory.split(separator: "/").last ?? "") }

    /// Why a commit is not taken, and what can be done.
    struct Decline: Sendable, Equatable {
        let reason: String
        let hint: String?
    }
}

/// Reads repositories through `volt-gitops--worker`, a process that can be killed.
struct SourceReader: Sendable {
    let paths: GitopsPaths
    let environment: [String: String]
    /// The absolute path of the worker.
    let worker: String

    /// Asks for the tip of a pipeline's branch, without fetching.
    func tip(of pipeline: Pipeline, limit: Duration) throws(VoltError) -> Tip {
        let request = SourceRequest(
            action: .tip, repository: pipeline.access, mirror: paths.mirror(of: pipeline.repo))
        var origin: String?
        let answer = try ask(request, limit: limit, stop: { false }, note: { _ in }) { event in
            if case .origin(let text) = event { origin = text }
        }
        guard case .tip(let commit) = answer else { throw VoltError(.failed, "the worker gave no tip") }
        return Tip(commit: commit, origin: try Self.origin(origin, of: pipeline))
    }

    /// What the journal keeps of an origin: a digest, since its text is the server's.
    private static func origin(_ text: String?, of pipeline: Pipeline) throws(VoltError) -> String {
        guard pipeline.provider == .svn else { return "" }
        guard let text else {
            throw VoltError(.failed, "the worker did not say of which repository a revision is")
        }
        return String(SHA256Hasher.digest(of: text.utf8).hex.prefix(32))
    }

    /// Which URL is read, for Subversion with its branch.
    func location(of pipeline: Pipeline, limit: Duration) throws(VoltError) -> String {
        let request = SourceRequest(
            action: .locate, repository: pipeline.access, mirror: paths.mirror(of: pipeline.repo))
        guard case .located(let url) = try ask(request, limit: limit, stop: { false }, note: { _ in }) else {
            throw VoltError(.failed, "the worker gave no location")
        }
        return url
    }

    /// Which key the SSH server of a pipeline's repository shows.
    func hostKey(of pipeline: Pipeline, limit: Duration) throws(VoltError) -> ScannedHostKey {
        let request = SourceRequest(
            action: .hostKey, repository: pipeline.access, mirror: paths.mirror(of: pipeline.repo))
        guard
            case .hostKey(let host, let type, let fingerprint, let line) = try ask(
                request, limit: limit, stop: { false }, note: { _ in })
        else { throw VoltError(.failed, "the worker gave no host key") }
        return ScannedHostKey(host: host, type: type, fingerprint: fingerprint, line: line)
    }

    /// The libraries that the worker is linked to.
    ///
    /// - Throws: `VoltError` when it cannot start.
    func libraries() throws(VoltError) -> SourceLibraries {
        let child = try Child.start(worker, ["--libraries"], environment: environment)
        var found: SourceLibraries?
        var said = ""
        let outcome = child.finish(limit: .seconds(10)) { stream, line in
            if stream == .stdout { found = SourceStream.libraries(line) } else { said = line }
        }
        if outcome == .exited(0), let found { return found }
        throw VoltError(.failed, "'\(worker)' cannot start: \(said.isEmpty ? "\(outcome)" : said)")
    }

    /// Fetches the tip of a pipeline's branch and writes its tree.
    ///
    /// - Parameters:
    ///   - attempt: makes the temporary name unique.
    ///   - announced: a commit that should be in its history, see `Snapshot.isUnseen`.
    ///   - conditions: what the commit has to fulfil.
    ///   - stop: asked while the worker runs; when it turns true the worker is ended.
    ///   - note: lines for the log of the attempt.
    func snapshot(
        of pipeline: Pipeline, attempt: Int64, announced: String? = nil,
        conditions: SourceConditions? = nil, limit: Duration, stop: () -> Bool, note: (String) -> Void
    ) throws(VoltError) -> Snapshot {
        let directory = paths.snapshots(pipeline.name)
        let next = "\(directory)/.next-\(attempt)"
        try Files.makeDirectory(directory, mode: 0o700)
        let fetched = try fetch(
            pipeline, into: next, announced: announced, conditions: conditions, limit: limit, stop: stop,
            note: note)
        guard fetched.decline == nil else { return fetched }
        let name = try place(fetched, of: pipeline, in: directory)
        return Snapshot(
            commit: fetched.commit, directory: "\(directory)/\(name)", origin: fetched.origin,
            ref: fetched.ref,
            isUnaffected: fetched.isUnaffected, isUnseen: fetched.isUnseen)
    }

    /// Puts a tree that was fetched in its place, and gives its name. One that is there already stays where it is: a
    /// workload may run from it. What an earlier Volt wrote, and what was fetched otherwise, has another name and
    /// counts when it has the same files.
    private func place(_ fetched: Snapshot, of pipeline: Pipeline, in directory: String) throws(VoltError)
        -> String
    {
        let commit = fetched.commit
        let own = pipeline.snapshotName(of: commit, origin: fetched.origin ?? "")
        let present = try Files.list(directory).filter { $0 == commit || $0.hasPrefix("\(commit)-") }.sorted()
        let same =
            present.contains(own)
            ? own : present.first { TreeDifference.isSame("\(directory)/\($0)", fetched.directory) }
        if let same {
            try Files.removeTree(fetched.directory)
            return same
        }
        let name = pipeline.isPlain && !present.contains(commit) ? commit : own
        try Files.move(fetched.directory, to: "\(directory)/\(name)")
        return name
    }

    /// Fetches the tip of a pipeline's branch and writes its tree to a directory, which is replaced.
    ///
    /// - Returns: the commit in that directory, or the one that was declined.
    func fetch(
        _ pipeline: Pipeline, into directory: String, announced: String? = nil,
        conditions: SourceConditions? = nil, limit: Duration,
        stop: () -> Bool, note: (String) -> Void
    ) throws(VoltError) -> Snapshot {
        try Files.removeTree(directory)
        var request = SourceRequest(
            action: .snapshot, repository: pipeline.access, mirror: paths.mirror(of: pipeline.repo),
            snapshot: directory)
        request.announced = announced
        request.conditions = conditions
        var origin: String?
        var ref: String?
        var isUnaffected = false
        var isUnseen = false
        let answer = try ask(request, limit: limit, stop: stop, note: note) { event in
            switch event {
            case .origin(let text): origin = text
            case .ref(let name): ref = PushedRef(full: name)?.shown
            case .unaffected: isUnaffected = true
            case .unseen: isUnseen = true
            case .signed(let signer): note("signed by \(signer)")
            default: break
            }
        }
        if case .declined(let commit, let reason, let hint) = answer {
            return Snapshot(
                commit: commit, directory: "", origin: try Self.origin(origin, of: pipeline), ref: ref,
                isUnseen: isUnseen, decline: Snapshot.Decline(reason: reason, hint: hint))
        }
        guard case .snapshot(let commit, _, _, _, _) = answer,
            !commit.isEmpty, !commit.contains("/"), !commit.hasPrefix(".")
        else { throw VoltError(.failed, "the worker gave no snapshot") }
        return Snapshot(
            commit: commit, directory: directory, origin: try Self.origin(origin, of: pipeline), ref: ref,
            isUnaffected: isUnaffected, isUnseen: isUnseen)
    }

    private func ask(
        _ request: SourceRequest, limit: Duration, stop: () -> Bool, note: (String) -> Void,
        event: (SourceEvent) -> Void = { _ in }
    ) throws(VoltError) -> SourceEvent {
        let input: [UInt8]
        do { input = Array(try JSONEncoder().encode(request)) } catch {
            throw VoltError(.failed, "cannot encode a request: \(error)")
        }
        try Files.makeDirectory(Files.parent(of: request.mirror), mode: 0o700)
        let child = try Child.start(worker, [], environment: environment)
        var last: SourceEvent?
        let outcome = child.finish(input: input, limit: limit, grace: .seconds(2), stop: stop) {
            stream, line in
            guard stream == .stdout else { return note(line) }
            guard let said = try? JSONDecoder().decode(SourceEvent.self, from: Data(line.utf8)) else {
                return
            }
            if case .note(let message) = said { return note(message) }
            event(said)
            last = said
        }
        if stop() { throw VoltError(.tryAgain, "the fetch was stopped") }
        switch (outcome, last) {
        case (.timedOut, _):
            throw VoltError(
                .failed, "'\(request.repository.url)' did not answer within \(DurationText.format(limit))")
        case (_, .failed(let code, let message, let hint)):
            throw VoltError(ExitCode(rawValue: code) ?? .failed, message, hint: hint)
        case (.exited(0), let event?): return event
        default:
            throw VoltError(.failed, "the worker that reads '\(request.repository.url)' died: \(outcome)")
        }
    }
}

extension Pipeline {
    /// What the worker needs to read the repository.
    var access: RepositoryAccess {
        var access = RepositoryAccess(system: provider == .svn ? .svn : .git, url: repo, branch: branch)
        access.allowsHTTP = allowHTTP
        access.allowsFile = allowFile
        access.sshKeyFile = sshKey
        access.knownHostsFile = knownHosts
        access.username = username
        access.tokenFile = tokenFile
        access.caFile = caFile
        access.proxy = proxy
        access.tag = track?.tag
        access.pinned = track?.commit
        access.submodules = track?.submodules
        access.lfs = track?.lfs
        return access
    }
}
