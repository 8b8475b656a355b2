internal import Glibc
public import VoltCore
internal import VoltOCI
public import VoltStore
internal import VoltSystem

extension RegistryStorage {
    /// Removes what the rules let go, and the bytes that nobody refers to any more. Pushes go on beside it, and it can be
    /// killed at any point.
    ///
    /// - Parameter dryRun: only say what would go; of the store only what nobody refers to now is counted.
    public func collect(_ rules: RetentionRules, now: Timestamp, dryRun: Bool) throws -> CollectionResult {
        var result = CollectionResult()
        if rules.upstreamKeep != nil || rules.upstreamSize != nil {
            var kept: [OCIRepositoryName] = []
            try Self.walk(root) { name in if isKept(name) { kept.append(name) } }
            try KeptCollection(self, kept, now: now).run(rules, dryRun: dryRun, &result)
        }
        // What cannot be read keeps all that its repository has, and is told at the end.
        var problem: (any Error)?
        try Self.walk(root) { name in
            var collection = RepositoryCollection(self, name, rules, now: now, dryRun: dryRun)
            do { try collection.run(&result) } catch { problem = problem ?? error }
        }
        // Names of blobs there have a colon.
        if !dryRun { try sweep("\(root)/_bare", now: now.milliseconds / 1000) { !$0.contains(":") } }
        result.store = try store.collectGarbage(grace: rules.grace, dryRun: dryRun)
        if let problem { throw problem }
        return result
    }

    /// Removes files that were on their way when a process was killed, once they are an hour old.
    ///
    /// - Parameter now: seconds since 1970.
    func sweep(_ directory: String, now: Int64, _ isTemporary: (String) -> Bool) throws {
        for entry in try Files.list(directory) where isTemporary(entry) {
            var information = stat()
            let path = "\(directory)/\(entry)"
            guard stat(path, &information) == 0,
                now.subtractingClamped(Int64(information.st_mtim.tv_sec)) > 3600
            else {
                continue
            }
            try Files.remove(path)
        }
    }

    /// Every directory that is a repository, also without manifests.
    private static func walk(
        _ directory: String, prefix: String = "", _ body: (OCIRepositoryName) throws -> Void
    )
        throws
    {
        for entry in try Files.list(directory) where !entry.hasPrefix("_") {
            let name = prefix.isEmpty ? entry : "\(prefix)/\(entry)"
            guard let repository = OCIRepositoryName(parsing: name) else { continue }
            try body(repository)
            try walk("\(directory)/\(entry)", prefix: name, body)
        }
    }
}

/// A collection of one repository.
private struct RepositoryCollection {
    let storage: RegistryStorage
    let name: OCIRepositoryName
    let rules: RetentionRules
    let now: Int64
    let dryRun: Bool
    let directory: String
    /// What the manifests name that were read.
    private var read: [Digest: Needs] = [:]
    private var tags = RepositoryTags()

    private struct Needs {
        var blobs: Set<OCIDigest> = []
        var manifests: Set<OCIDigest> = []
        var subject: OCIDigest?
    }

    init(
        _ storage: RegistryStorage, _ name: OCIRepositoryName, _ rules: RetentionRules, now: Timestamp,
        dryRun: Bool
    ) {
        self.storage = storage
        self.name = name
        self.rules = rules
        self.now = now.milliseconds / 1000
        self.dryRun = dryRun
        directory = storage.directory(name)
    }

    mutating func run(_ result: inout CollectionResult) throws {
        if !dryRun {
            result.uploads += try storage.removeUploads(olderThan: rules.uploads, now: now, in: name)
            try storage.sweep(directory, now: now) { $0.hasPrefix("_new-") }
            for part in ["_blobs", "_manifests"] {
                try storage.sweep("\(directory)/\(part)", now: now) { $0.hasSuffix(".tmp") }
            }
        }
        // Most is read while pushes go on; what came meanwhile is read with the lock.
        try readManifests()
        let lock = try storage.lockAlone(name)
        try readManifests()
        if !storage.isKept(name) {
            tags = try RepositoryTags(storage, name)
            try removeTags(&result)
            try removeManifests(&result)
        }
        try removeBlobs(&result)
        lock.keep()
    }

    /// Seconds since a file was written; nothing when it is gone.
    private func age(_ path: String) -> Int64 {
        var information = stat()
        return stat(path, &information) == 0 ? now.subtractingClamped(Int64(information.st_mtim.tv_sec)) : 0
    }

    private mutating func readManifests() throws {
        var there: [Digest: Needs] = [:]
        for entry in try Files.list("\(directory)/_manifests") {
            guard let digest = try? Digest(entry) else { continue }
            if let known = read[digest] {
                there[digest] = known
                continue
            }
            // What cannot be read may need anything: nothing of this repository goes then.
            let document = try OCIDocument(try storage.bytes(of: digest))
            there[digest] = Needs(
                blobs: Set(document.blobs.compactMap { OCIDigest(parsing: $0.digest) }),
                manifests: Set(document.manifests.compactMap { OCIDigest(parsing: $0.digest) }),
                subject: document.subject.flatMap { OCIDigest(parsing: $0.digest) })
        }
        read = there
    }

    private func removeTags(_ result: inout CollectionResult) throws {
        guard let keep = rules.keepTags else { return }
        var information = stat()
        let tags = tags.names.map { tag in
            let path = "\(directory)/_tags/\(tag)"
            let time = stat(path, &information) == 0 ? information.st_mtim : timespec()
            return (tag: tag, time: (time.tv_sec, time.tv_nsec))
        }
        for (tag, _) in tags.sorted(by: { $0.time > $1.time }).dropFirst(keep) {
            result.tags.append("\(name):\(tag)")
            if !dryRun { _ = try storage.removeTag(tag, in: name) }
        }
    }

    private mutating func removeManifests(_ result: inout CollectionResult) throws {
        guard let limit = rules.untagged else { return }
        let gone = Set(result.tags)
        var kept: Set<Digest> = []
        var next: [Digest] = []
        func keep(_ digest: OCIDigest) {
            guard let name = storage.resolve(digest, "\(directory)/_manifests"), kept.insert(name).inserted
            else { return }
            next.append(name)
        }
        for tag in tags.names where !gone.contains("\(name):\(tag)") {
            if let digest = try storage.tag(tag, in: name) { keep(digest) }
        }
        // It may have been pushed before its image.
        for companion in tags.companions
        where companion.subject == nil
            && age("\(directory)/_tags/\(companion.tag)") < limit.components.seconds
        {
            keep(companion.digest)
        }
        for digest in read.keys.sorted()
        where age("\(directory)/_manifests/\(digest)") < limit.components.seconds {
            keep(OCIDigest(digest))
        }
        var referrers: [Digest: [Digest]] = [:]
        for (referrer, needs) in read {
            guard let subject = needs.subject.flatMap({ storage.resolve($0, "\(directory)/_manifests") })
            else {
                continue
            }
            referrers[subject, default: []].append(referrer)
        }
        for companion in tags.companions {
            guard let subject = companion.subject,
                let digest = storage.resolve(companion.digest, "\(directory)/_manifests")
            else { continue }
            referrers[subject, default: []].append(digest)
        }
        while let digest = next.popLast() {
            for child in read[digest]?.manifests ?? [] { keep(child) }
            for referrer in referrers[digest] ?? [] { keep(OCIDigest(referrer)) }
        }
        for companion in tags.companions {
            let stays =
                companion.subject.map(kept.contains)
                ?? (storage.resolve(companion.digest, "\(directory)/_manifests").map(kept.contains) ?? false)
            if stays { continue }
            result.tags.append("\(name):\(companion.tag)")
            if !dryRun { _ = try storage.removeTag(companion.tag, in: name) }
        }
        for digest in read.keys.sorted() where !kept.contains(digest) {
            result.manifests.append("\(name)@\(digest)")
            if !dryRun { _ = try storage.removeManifest(OCIDigest(digest), in: name) }
            read[digest] = nil
        }
    }

    private func removeBlobs(_ result: inout CollectionResult) throws {
        let blobs = "\(directory)/_blobs"
        var needed: Set<Digest> = []
        for needs in read.values {
            for blob in needs.blobs { if let digest = storage.blob(blob, in: name) { needed.insert(digest) } }
        }
        var removed = false
        for entry in try Files.list(blobs) {
            guard let digest = try? Digest(entry), !needed.contains(digest),
                age("\(blobs)/\(entry)") >= rules.grace.components.seconds
            else { continue }
            result.blobs += 1
            if dryRun { continue }
            try Files.remove("\(blobs)/\(entry)")
            removed = true
        }
        if removed { try removeAliases(blobs) }
    }

    /// Other digests of blobs that are gone.
    private func removeAliases(_ directory: String) throws {
        for entry in try Files.list(directory) {
            guard let digest = OCIDigest(parsing: entry), digest.algorithm != .sha256,
                storage.resolve(digest, directory) == nil
            else { continue }
            try Files.remove("\(directory)/\(entry)")
        }
        try Files.syncDirectory(directory)
    }
}
