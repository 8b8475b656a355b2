internal import Glibc
internal import Synchronization
internal import VoltCore
internal import VoltOCI
internal import VoltS3
internal import VoltSystem

/// Manifests that were read lately, by the names of their objects, which never get other bytes.
final class ReadManifests: Sendable {
    private struct State {
        var bytes: [String: [UInt8]] = [:]
        var size = 0
    }

    private static let limit = 16 << 20
    private let state = Mutex(State())

    subscript(key: String) -> [UInt8]? {
        get { state.withLock { $0.bytes[key] } }
        set {
            guard let newValue, newValue.count <= 256 << 10 else { return }
            state.withLock { state in
                if state.size > Self.limit { state = State() }
                guard state.bytes.updateValue(newValue, forKey: key) == nil else { return }
                state.size += newValue.count + 300
            }
        }
    }
}

extension BucketStorage {
    /// The largest object of a manifest: its type stands before it.
    private static let largest = OCIDocument.longest + 1024
    /// A push that takes longer between its note and its end fails: the note would not be believed any more.
    private static let longest: Int64 = 3600

    private static func uptime() -> Int64 {
        var now = timespec()
        clock_gettime(CLOCK_BOOTTIME, &now)
        return Int64(now.tv_sec)
    }

    private func manifestKeys(_ digest: Digest, in name: OCIRepositoryName) throws -> [String] {
        try ask { client in
            try client.list("\(BucketKeys.repository(name, "manifests"))\(BucketKeys.hex(digest))/").map(
                \.key)
        }
    }

    /// The type and the bytes of a manifest.
    func manifest(at key: String) throws -> (mediaType: String, bytes: [UInt8])? {
        var content = read[key]
        if content == nil {
            content = try ask { try $0.get(key, limit: Self.largest) }
            read[key] = content
        }
        guard let content, let end = content.firstIndex(of: 10) else { return nil }
        return (String(decoding: content[..<end], as: UTF8.self), Array(content[(end + 1)...]))
    }

    func manifest(_ reference: ManifestReference, in name: OCIRepositoryName) throws
        -> StoredManifest?
    {
        let digest: OCIDigest
        switch reference {
        case .digest(let given): digest = given
        case .tag(let tag):
            guard let found = try self.tag(tag, in: name) else { return nil }
            digest = found
        }
        guard let sha256 = try sha256(digest, "manifests", name) else { return nil }
        for key in try manifestKeys(sha256, in: name) {
            // It may have been collected since.
            guard let found = try manifest(at: key) else { continue }
            guard OCIDigest.of(found.bytes).sha256 == sha256 else {
                throw VoltError(
                    .failed, "manifest '\(digest)' has other bytes in '\(bucket)' than its digest says")
            }
            return StoredManifest(digest: digest, mediaType: found.mediaType, bytes: found.bytes)
        }
        return nil
    }

    func put(
        _ bytes: [UInt8], _ document: OCIDocument, mediaType: String, digest: OCIDigest, tags: [OCITagName],
        in name: OCIRepositoryName, needsBlobs: Bool
    ) throws -> OCIDigest? {
        guard let sha256 = digest.sha256 ?? OCIDigest.of(bytes).sha256 else {
            throw VoltError(.failed, "a manifest has no digest")
        }
        let needed = needsBlobs ? try ManifestRules.needs(document) : []
        let begun = Self.uptime()
        try remember(name)
        let pending = "\(BucketKeys.repository(name, "pending"))\(BucketKeys.random())"
        let shas = try needed.map { digest in
            guard let sha256 = try self.sha256(digest, "blobs", name) else {
                throw ManifestRefusal(errors: [.manifestBlobUnknown(digest)])
            }
            return sha256
        }
        // What is written here is needed from now on: a collector looks for it after its marks, and we for the marks now.
        let note = shas.map { BucketKeys.hex($0) }.joined(separator: "\n") + "\n"
        try ask { try $0.put(pending, Array(note.utf8)) }
        do {
            try require(needed, shas, in: name)
            let key =
                "\(BucketKeys.repository(name, "manifests"))\(BucketKeys.hex(sha256))/\(BucketKeys.random())"
            try checkTime(begun)
            try ask { try $0.put(key, Array(mediaType.utf8) + [10] + bytes) }
            try keep(digest, of: sha256, "manifests", name)
            let subject = document.subject.flatMap { OCIDigest(parsing: $0.digest) }
            if let subject { try addReferrer(bytes, document, mediaType, digest, to: subject, in: name) }
            for tag in tags {
                try checkTime(begun)
                try ask { try $0.put(tagKey(tag, name), Array(digest.description.utf8)) }
            }
            try ask { try $0.delete(pending) }
            return subject
        } catch {
            _ = try? ask { try $0.delete(pending) }
            throw error
        }
    }

    private func checkTime(_ begun: Int64) throws {
        guard Self.uptime() - begun < Self.longest else {
            throw VoltError(.tryAgain, "the push took too long: '\(bucket)' is slow")
        }
    }

    /// Each blob has a reference that no collector means to remove; one that has others only gets a new one.
    private func require(_ digests: [OCIDigest], _ shas: [Digest], in name: OCIRepositoryName) throws {
        var errors: [RegistryError] = []
        let prefix = BucketKeys.repository(name, "condemned")
        var marked: Set<Substring> = []
        for object in try ask({ try $0.list(prefix) }) {
            let parts = object.key.dropFirst(prefix.count).split(separator: "/")
            if parts.count == 3 { marked.insert(parts[1]) }
        }
        for (digest, sha256) in zip(digests, shas) {
            let references = try references(sha256, in: name)
            if references.contains(where: { !marked.contains($0.text[...]) }) { continue }
            let isLinked = try references.contains { try link($0.hex, $0.generation, $0.size, in: name) }
            if !isLinked { errors.append(.manifestBlobUnknown(digest)) }
            if errors.count >= 32 { break }
        }
        if !errors.isEmpty { throw ManifestRefusal(errors: errors) }
    }

    func removeManifest(_ digest: OCIDigest, in name: OCIRepositoryName) throws -> Bool {
        guard let sha256 = try sha256(digest, "manifests", name) else { return false }
        let keys = try manifestKeys(sha256, in: name)
        guard let first = keys.first else { return false }
        let bytes = try manifest(at: first)?.bytes
        let names = [OCIDigest(sha256)] + (bytes.map { [OCIDigest.of($0, .sha512)] } ?? [])
        let tags = try tags(in: name)
        for tag in tags where try self.tag(tag, in: name).map(names.contains) ?? false {
            try ask { try $0.delete(tagKey(tag, name)) }
        }
        // Those that belong to it, which nobody finds without it.
        for tag in tags
        where try companion(tag, in: name).map({ names.map(OCICompanionTag.stem(of:)).contains($0) }) ?? false
        {
            try ask { try $0.delete(tagKey(tag, name)) }
        }
        let subject = bytes.flatMap { try? OCIDocument($0) }?.subject.flatMap {
            OCIDigest(parsing: $0.digest)
        }
        try ask { client in
            for digest in names {
                if let subject { try client.delete(referrerKey(digest, to: subject, name)) }
                if digest.algorithm != .sha256 { try client.delete(aliasKey(digest, "manifests", name)) }
            }
            for key in keys { try client.delete(key) }
        }
        return true
    }

    // MARK: Tags

    func tagKey(_ tag: OCITagName, _ name: OCIRepositoryName) -> String {
        "\(BucketKeys.repository(name, "tags"))\(tag)"
    }

    func tag(_ tag: OCITagName, in name: OCIRepositoryName) throws -> OCIDigest? {
        try ask { try $0.get(tagKey(tag, name)) }.flatMap {
            OCIDigest(parsing: String(decoding: $0, as: UTF8.self))
        }
    }

    func tags(in name: OCIRepositoryName) throws -> [OCITagName] {
        let prefix = BucketKeys.repository(name, "tags")
        return try ask { try $0.list(prefix) }.compactMap {
            OCITagName(parsing: $0.key.dropFirst(prefix.count))
        }
    }

    /// What the tags of the manifest begin with that a tag belongs to; nil for a name, or a tag that is not there.
    func companion(_ tag: OCITagName, in name: OCIRepositoryName) throws -> String? {
        guard let companion = OCICompanionTag(tag.description), let digest = try self.tag(tag, in: name)
        else {
            return nil
        }
        // What has the name of a list and is none is somebody's image.
        guard companion.isList else { return companion.stem }
        let manifest = try manifest(.digest(digest), in: name)
        return OCIMediaType.indexes.contains(manifest?.mediaType ?? "") ? companion.stem : nil
    }

    func removeTag(_ tag: OCITagName, in name: OCIRepositoryName) throws -> Bool {
        guard try self.tag(tag, in: name) != nil else { return false }
        try ask { try $0.delete(tagKey(tag, name)) }
        return true
    }

    func pushed(_ tag: OCITagName, in name: OCIRepositoryName) -> Timestamp {
        let key = tagKey(tag, name)
        let found = try? ask { try $0.list(key, limit: 1).first { $0.key == key } }
        return Timestamp(milliseconds: (found?.modified ?? 0) * 1000)
    }

    // MARK: Referrers

    private func referrerKey(_ digest: OCIDigest, to subject: OCIDigest, _ name: OCIRepositoryName) -> String
    {
        "\(BucketKeys.repository(name, "referrers"))\(BucketKeys.text(subject))/\(BucketKeys.text(digest))"
    }

    private func addReferrer(
        _ bytes: [UInt8], _ document: OCIDocument, _ mediaType: String, _ digest: OCIDigest,
        to subject: OCIDigest, in name: OCIRepositoryName
    ) throws {
        let json = try ManifestRules.referrer(bytes, document, mediaType, digest)
        try ask { try $0.put(referrerKey(digest, to: subject, name), json) }
    }

    func referrers(to subject: OCIDigest, type: String?, after last: String?, in name: OCIRepositoryName)
        throws
        -> ReferrersPage
    {
        let prefix = "\(BucketKeys.repository(name, "referrers"))\(BucketKeys.text(subject))/"
        var page = ReferrersPage()
        try ask { client in
            for object in try client.list(prefix) {
                let digest = BucketKeys.digest(object.key.dropFirst(prefix.count))?.description ?? ""
                if let last, digest <= last { continue }
                guard let bytes = try client.get(object.key) else { continue }
                guard page.add(bytes, type: type) else { break }
            }
        }
        return page
    }

    // MARK: Numbers

    func usage(of name: OCIRepositoryName) throws -> (blobs: Int, bytes: UInt64) {
        let prefix = BucketKeys.repository(name, "blobs")
        var sizes: [String: UInt64] = [:]
        try ask { client in
            try client.list(prefix) { object throws(VoltError) in
                let found = BlobReference(object.key.dropFirst(prefix.count), modified: object.modified)
                if let found { sizes[found.hex] = found.size }
                return true
            }
        }
        return (sizes.count, sizes.values.reduce(0) { $0.addingClamped($1) })
    }
}
