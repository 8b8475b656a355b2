public import VoltCore
internal import VoltOCI
internal import VoltS3
internal import VoltStore
internal import VoltSystem

extension BucketStorage {
    /// Removes what the rules let go, and the bytes that nobody refers to any more. Pushes, and other collections, go on
    /// beside it, and it can be killed at any point.
    ///
    /// - Parameter dryRun: only say what would go.
    public func collect(_ rules: RetentionRules, now: Timestamp, dryRun: Bool) throws -> CollectionResult {
        var result = CollectionResult()
        let seconds = now.milliseconds / 1000
        // The names of one repository's objects stand together.
        var name: OCIRepositoryName?
        var objects: [S3Object] = []
        try ask { client in
            func end() throws {
                guard let name else { return }
                var collection = RepositoryObjects(
                    self, client, name, rules, now: seconds, dryRun: dryRun, objects)
                try collection.run(&result)
            }
            var problem: (any Error)?
            // A list of its own: the collection asks other things meanwhile.
            try ask { lister in
                try lister.list(BucketKeys.repositories) { object throws(VoltError) in
                    guard let (found, _, _) = BucketKeys.split(object.key) else { return true }
                    if found != name {
                        do { try end() } catch {
                            problem = error
                            return false
                        }
                        name = found
                        objects = []
                    }
                    objects.append(object)
                    return true
                }
            }
            if let problem { throw problem }
            try end()
            try removeBytes(client, rules, seconds, dryRun, &result)
        }
        try clearHere(rules, now: now, dryRun: dryRun, &result)
        return result
    }

    /// The generations that a repository refers to.
    private func referred(_ client: S3Client) throws -> Set<String> {
        var found: Set<String> = []
        try client.list(BucketKeys.repositories) { object throws(VoltError) in
            if let (_, part, rest) = BucketKeys.split(object.key), part == "blobs",
                let reference = BlobReference(rest, modified: 0)
            {
                found.insert(reference.generation)
            }
            return true
        }
        return found
    }

    /// Removes the bytes of blobs that no repository has.
    private func removeBytes(
        _ client: S3Client, _ rules: RetentionRules, _ now: Int64, _ dryRun: Bool,
        _ result: inout CollectionResult
    ) throws {
        let referred = try referred(client)
        var candidates: [(hex: Substring, generation: Substring, object: S3Object)] = []
        var kept = 0
        try client.list(BucketKeys.blobs) { object throws(VoltError) in
            let parts = object.key.split(separator: "/")
            guard parts.count == 3 else { return true }
            if !referred.contains(String(parts[2])), now - object.modified >= rules.grace.components.seconds {
                candidates.append((parts[1], parts[2], object))
            } else {
                kept += 1
            }
            return true
        }
        result.store.kept += kept
        if dryRun {
            result.store.removed += candidates.count
            result.store.freed += candidates.reduce(0) { $0 + $1.object.size }
            return
        }
        let collector = BucketKeys.random()
        for (hex, generation, _) in candidates {
            try client.put("\(BucketKeys.condemned)\(hex)/\(generation)/\(collector)", [1])
        }
        // Whoever refers to one from here on sees the mark, and takes other bytes.
        let again = candidates.isEmpty ? [] : try self.referred(client)
        for (hex, generation, object) in candidates {
            let marks = "\(BucketKeys.condemned)\(hex)/\(generation)/"
            if again.contains(String(generation)) {
                try client.delete("\(marks)\(collector)")
                result.store.kept += 1
                continue
            }
            try client.delete(object.key)
            result.store.removed += 1
            result.store.freed += object.size
            // Only now: a mark that is gone while the bytes are there would let somebody rely on them.
            for mark in try client.list(marks) { try client.delete(mark.key) }
        }
        try removeMarks(client)
    }

    /// Removes the marks of bytes that are gone, which a collector left that was killed.
    private func removeMarks(_ client: S3Client) throws {
        for mark in try client.list(BucketKeys.condemned) {
            let parts = mark.key.split(separator: "/")
            guard parts.count == 4 else { continue }
            let key = "\(BucketKeys.blobs)\(parts[1])/\(parts[2])"
            if try client.list(key, limit: 1).isEmpty { try client.delete(mark.key) }
        }
    }

    /// What lies on this host: uploads that were given up, and blobs that were not asked for the longest.
    private func clearHere(
        _ rules: RetentionRules, now: Timestamp, dryRun: Bool, _ result: inout CollectionResult
    ) throws {
        if !dryRun {
            try local.sweep(cache, now: now.milliseconds / 1000) { $0.hasPrefix("_") }
            let names = try local.leastUsed(cache)
            var size = names.reduce(UInt64(0)) { $0.addingClamped($1.size) }
            for (path, bytes) in names where size > cacheLimit {
                try Files.remove(path)
                size -= bytes
            }
        }
        result.uploads += try local.collect(rules, now: now, dryRun: dryRun).uploads
    }
}

/// A collection of one repository.
private struct RepositoryObjects {
    private struct Needs {
        var blobs: Set<String> = []
        var manifests: Set<OCIDigest> = []
        var subject: OCIDigest?
    }
    /// A tag that belongs to a manifest, and the digests of both in hexadecimal digits.
    private struct Companion {
        let tag: OCITagName
        let modified: Int64
        let hex: String?
        let subject: String?
    }

    private let storage: BucketStorage
    private let client: S3Client
    private let name: OCIRepositoryName
    private let rules: RetentionRules
    private let now: Int64
    private let dryRun: Bool
    private var references: [BlobReference] = []
    /// By digest, the newest last.
    private var manifests: [String: [S3Object]] = [:]
    private var pending: [S3Object] = []
    private var tags: [(tag: OCITagName, modified: Int64)] = []
    private var companions: [Companion] = []
    private var marks: [S3Object] = []
    private var needs: [String: Needs] = [:]

    init(
        _ storage: BucketStorage, _ client: S3Client, _ name: OCIRepositoryName, _ rules: RetentionRules,
        now: Int64, dryRun: Bool, _ objects: [S3Object]
    ) {
        self.storage = storage
        self.client = client
        self.name = name
        self.rules = rules
        self.now = now
        self.dryRun = dryRun
        for object in objects { sort(object) }
    }

    private mutating func sort(_ object: S3Object) {
        guard let (_, part, rest) = BucketKeys.split(object.key) else { return }
        switch part {
        case "blobs":
            if let found = BlobReference(rest, modified: object.modified) { references.append(found) }
        case "manifests":
            manifests[String(rest.prefix { $0 != "/" }), default: []].append(object)
        case "pending": pending.append(object)
        case "tags": if let tag = OCITagName(parsing: rest) { tags.append((tag, object.modified)) }
        case "condemned": marks.append(object)
        default: break
        }
    }

    mutating func run(_ result: inout CollectionResult) throws {
        for hex in manifests.keys { manifests[hex]?.sort { ($0.modified, $0.key) < ($1.modified, $1.key) } }
        try sortTags()
        try removeTags(&result)
        for (hex, objects) in manifests { try read(hex, objects) }
        try removeManifests(&result)
        try removeReferences(&result)
        if dryRun { return }
        for object in pending where now - object.modified > 86_400 { try client.delete(object.key) }
        // Of references that are gone.
        let there = Set(references.map(\.text))
        let prefix = BucketKeys.repository(name, "condemned")
        for mark in marks {
            let parts = mark.key.dropFirst(prefix.count).split(separator: "/")
            if parts.count == 3, !there.contains(String(parts[1])) { try client.delete(mark.key) }
        }
    }

    /// Takes those from the tags that are no names.
    private mutating func sortTags() throws {
        var subjects: [String: String] = [:]
        for hex in manifests.keys { subjects["sha256-\(hex)"] = hex }
        var names: [(tag: OCITagName, modified: Int64)] = []
        for (tag, modified) in tags {
            guard let stem = try storage.companion(tag, in: name) else {
                names.append((tag, modified))
                continue
            }
            companions.append(
                Companion(
                    tag: tag, modified: modified, hex: try storage.tag(tag, in: name).flatMap { try hex($0) },
                    subject: subjects[stem]))
        }
        tags = names
    }

    private mutating func removeTags(_ result: inout CollectionResult) throws {
        guard let keep = rules.keepTags else { return }
        tags.sort { ($0.modified, $0.tag) > ($1.modified, $1.tag) }
        for (tag, _) in tags.dropFirst(keep) {
            result.tags.append("\(name):\(tag)")
            if !dryRun { _ = try storage.removeTag(tag, in: name) }
        }
        tags = Array(tags.prefix(keep))
    }

    /// What a manifest needs; what cannot be read may need anything: nothing of this repository goes then.
    private mutating func read(_ hex: String, _ objects: [S3Object]) throws {
        if needs[hex] != nil { return }
        for object in objects.reversed() {
            // It may be gone since.
            guard let found = try storage.manifest(at: object.key) else { continue }
            let document = try OCIDocument(found.bytes)
            var needs = Needs()
            for digest in ManifestRules.blobs(document) {
                if let sha256 = try storage.sha256(digest, "blobs", name) {
                    needs.blobs.insert(BucketKeys.hex(sha256))
                }
            }
            needs.manifests = Set(document.manifests.compactMap { OCIDigest(parsing: $0.digest) })
            needs.subject = document.subject.flatMap { OCIDigest(parsing: $0.digest) }
            self.needs[hex] = needs
            return
        }
    }

    private func hex(_ digest: OCIDigest) throws -> String? {
        try storage.sha256(digest, "manifests", name).map { BucketKeys.hex($0) }
    }

    private mutating func removeManifests(_ result: inout CollectionResult) throws {
        for (hex, objects) in manifests {
            // A manifest that was pushed again lies there twice.
            for object in objects.dropLast() where now - object.modified >= rules.grace.components.seconds {
                if !dryRun { try client.delete(object.key) }
                manifests[hex]?.removeAll { $0.key == object.key }
            }
        }
        guard let limit = rules.untagged else { return }
        var kept: Set<String> = []
        var next: [String] = []
        func keep(_ hex: String?) {
            guard let hex, manifests[hex] != nil, kept.insert(hex).inserted else { return }
            next.append(hex)
        }
        for (tag, _) in tags { keep(try storage.tag(tag, in: name).flatMap { try hex($0) }) }
        for (hex, objects) in manifests
        where objects.contains(where: { now - $0.modified < limit.components.seconds }) {
            keep(hex)
        }
        // It may have been pushed before its image.
        for companion in companions
        where companion.subject == nil && now - companion.modified < limit.components.seconds {
            keep(companion.hex)
        }
        var about: [String: [String]] = [:]
        for companion in companions {
            if let subject = companion.subject, let hex = companion.hex {
                about[subject, default: []].append(hex)
            }
        }
        for (referrer, needs) in needs {
            if let subject = try needs.subject.flatMap({ try hex($0) }) {
                about[subject, default: []].append(referrer)
            }
        }
        while let hex = next.popLast() {
            for child in needs[hex]?.manifests ?? [] { keep(try self.hex(child)) }
            for referrer in about[hex] ?? [] { keep(referrer) }
        }
        for companion in companions where !((companion.subject ?? companion.hex).map(kept.contains) ?? false)
        {
            result.tags.append("\(name):\(companion.tag)")
            if !dryRun { _ = try storage.removeTag(companion.tag, in: name) }
        }
        for hex in manifests.keys.sorted() where !kept.contains(hex) {
            result.manifests.append("\(name)@sha256:\(hex)")
            if !dryRun {
                // One that was pushed again since then stays, as an object of its own.
                for object in manifests[hex] ?? [] { try client.delete(object.key) }
                let prefix = "\(BucketKeys.repository(name, "manifests"))\(hex)/"
                if try client.list(prefix, limit: 1).isEmpty { try removeTraces(hex) }
            }
            manifests[hex] = nil
            needs[hex] = nil
        }
    }

    /// What a manifest leaves in the list of what is about another one.
    private func removeTraces(_ hex: String) throws {
        guard let subject = needs[hex]?.subject, let digest = OCIDigest(parsing: "sha256:\(hex)") else {
            return
        }
        try client.delete(
            "\(BucketKeys.repository(name, "referrers"))\(BucketKeys.text(subject))/\(BucketKeys.text(digest))"
        )
    }

    /// The blobs that manifests need, and those that are being pushed.
    private func needed(_ pending: [S3Object]) throws -> Set<String> {
        var needed: Set<String> = []
        for needs in needs.values { needed.formUnion(needs.blobs) }
        for object in pending where now - object.modified <= 86_400 {
            let text = String(decoding: try client.get(object.key) ?? [], as: UTF8.self)
            for hex in text.split(separator: "\n") { needed.insert(String(hex)) }
        }
        return needed
    }

    /// Whether a repository has a newer reference to the same blob, which no collector means to remove: from now on one
    /// that wants to sees that the blob is needed.
    private func isSuperseded(_ reference: BlobReference, _ newest: BlobReference?) throws -> Bool {
        guard let newest, newest != reference else { return false }
        return try !client.list(newest.key(in: name), limit: 1).isEmpty
            && client.list(newest.marks(in: name), limit: 1).isEmpty
    }

    private mutating func removeReferences(_ result: inout CollectionResult) throws {
        let first = try needed(pending)
        var newest: [String: BlobReference] = [:]
        for reference in references {
            let known = newest[reference.hex]
            if known.map({ ($0.modified, $0.text) < (reference.modified, reference.text) }) ?? true {
                newest[reference.hex] = reference
            }
        }
        let candidates = references.filter { reference in
            now - reference.modified >= rules.grace.components.seconds
                && (!first.contains(reference.hex) || newest[reference.hex] != reference)
        }
        if dryRun {
            result.blobs += Set(candidates.map(\.hex)).subtracting(first).count
            return
        }
        if candidates.isEmpty { return }
        let collector = BucketKeys.random()
        for reference in candidates { try client.put("\(reference.marks(in: name))\(collector)", [1]) }
        // Whoever pushes a manifest from here on sees the marks.
        for object in try client.list(BucketKeys.repository(name, "manifests")) {
            let rest = object.key.dropFirst(BucketKeys.repository(name, "manifests").count)
            try read(String(rest.prefix { $0 != "/" }), [object])
        }
        let again = try needed(try client.list(BucketKeys.repository(name, "pending")))
        var gone: Set<String> = []
        for reference in candidates {
            if again.contains(reference.hex), try !isSuperseded(reference, newest[reference.hex]) {
                try client.delete("\(reference.marks(in: name))\(collector)")
                continue
            }
            try client.delete(reference.key(in: name))
            if !again.contains(reference.hex) { gone.insert(reference.hex) }
            for mark in try client.list(reference.marks(in: name)) { try client.delete(mark.key) }
        }
        let removed = Set(candidates.map(\.text))
        references.removeAll { removed.contains($0.text) && gone.contains($0.hex) }
        result.blobs += gone.count
    }
}
