internal import FoundationEssentials
internal import Glibc
internal import VoltCore
internal import VoltOCI
internal import VoltStore
internal import VoltSystem

extension RegistryStorage {
    /// The manifest that a reference names, or nil.
    func manifest(_ reference: ManifestReference, in name: OCIRepositoryName) throws -> StoredManifest? {
        let digest: OCIDigest
        switch reference {
        case .digest(let given): digest = given
        case .tag(let tag):
            guard let found = try self.tag(tag, in: name) else { return nil }
            digest = found
        }
        let directory = "\(directory(name))/_manifests"
        guard let sha256 = resolve(digest, directory),
            let type = try? files.read("\(directory)/\(sha256)", limit: 1024)
        else { return nil }
        return StoredManifest(
            digest: digest, mediaType: String(decoding: type, as: UTF8.self), bytes: try bytes(of: sha256))
    }

    /// The bytes of a manifest of some repository.
    func bytes(of sha256: Digest) throws -> [UInt8] {
        if let bytes = manifests[sha256] { return bytes }
        var bytes: [UInt8] = []
        try store.read(sha256) { bytes += $0 }
        manifests[sha256] = bytes
        return bytes
    }

    /// Keeps a manifest, and gives it tags; all of it is durable afterwards.
    ///
    /// - Parameters:
    ///   - digest: of the bytes, in the algorithm that the client wants.
    ///   - mediaType: what the client says that it is.
    ///   - needsBlobs: whether what it names has to be here.
    /// - Returns: what the manifest is about, or nil.
    /// - Throws: `ManifestRefusal` when it names what the repository does not have.
    func put(
        _ bytes: [UInt8], _ document: OCIDocument, mediaType: String, digest: OCIDigest, tags: [OCITagName],
        in name: OCIRepositoryName, needsBlobs: Bool
    ) throws -> OCIDigest? {
        try sharing(name) {
            if needsBlobs { try requireBlobs(document, in: name) }
            let sha256 = digest.sha256 ?? OCIDigest.of(bytes).sha256
            guard let sha256 else { throw VoltError(.failed, "a manifest has no digest") }
            let file = "\(directory(name))/_new-\(UInt64.random(in: 0...UInt64.max))"
            try Files.replace(file, with: bytes, mode: 0o444)
            try within(name, "_manifests") { directory in
                try store.takeIn(
                    file: file, as: sha256, reference: reference(name, "_manifests"),
                    note: Array(mediaType.utf8))
                try keep(digest, of: sha256, directory)
            }
            let subject = document.subject.flatMap { OCIDigest(parsing: $0.digest) }
            // After the manifest, so that the list never names one that is not there.
            if let subject {
                try addReferrer(bytes, document, mediaType, digest, to: subject, in: name)
            }
            for tag in tags { try setTag(tag, to: digest, in: name) }
            return subject
        }
    }

    private func requireBlobs(_ document: OCIDocument, in name: OCIRepositoryName) throws {
        let missing = try ManifestRules.needs(document).lazy.filter { self.blob($0, in: name) == nil }
        let errors = missing.prefix(32).map { RegistryError.manifestBlobUnknown($0) }
        if !errors.isEmpty { throw ManifestRefusal(errors: Array(errors)) }
    }

    /// Takes a manifest away, its tags first, so that none is left that names nothing.
    ///
    /// - Returns: false when it was not there.
    func removeManifest(_ digest: OCIDigest, in name: OCIRepositoryName) throws -> Bool {
        let directory = "\(directory(name))/_manifests"
        guard let sha256 = resolve(digest, directory) else { return false }
        let bytes = try? bytes(of: sha256)
        // It may have been tagged, and be about something, by the other digest.
        let names = Set([digest, OCIDigest(sha256)] + (bytes.map { [OCIDigest.of($0, .sha512)] } ?? []))
        let tags = try tags(in: name)
        for tag in tags where try self.tag(tag, in: name).map(names.contains) ?? false {
            try removeTagFile(tag, in: name)
        }
        // Those that belong to it, which nobody finds without it.
        for tag in tags
        where try companion(tag, in: name).map({ names.map(OCICompanionTag.stem(of:)).contains($0) }) ?? false
        {
            try removeTagFile(tag, in: name)
        }
        if let bytes, let document = try? OCIDocument(bytes),
            let subject = document.subject.flatMap({ OCIDigest(parsing: $0.digest) })
        {
            for name in names.map({ "\(self.directory(name))/_referrers/\(subject)/\($0)" }) {
                try Files.remove(name)
            }
        }
        for name in names { try Files.remove("\(directory)/\(name)") }
        try Files.syncDirectory(directory)
        return true
    }

    // MARK: Tags

    /// What a tag names, or nil.
    func tag(_ tag: OCITagName, in name: OCIRepositoryName) throws -> OCIDigest? {
        guard let bytes = try? files.read("\(directory(name))/_tags/\(tag)", limit: 256) else { return nil }
        return OCIDigest(parsing: String(decoding: bytes, as: UTF8.self))
    }

    /// The tags of a repository in the order of ASCII.
    func tags(in name: OCIRepositoryName) throws -> [OCITagName] {
        try Files.list("\(directory(name))/_tags").compactMap { OCITagName(parsing: $0) }
    }

    func setTag(_ tag: OCITagName, to digest: OCIDigest, in name: OCIRepositoryName) throws {
        try within(name, "_tags") { directory in
            try replace("\(directory)/\(tag)", digest.description.utf8, in: name)
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

    /// Takes a tag away; the manifest stays.
    ///
    /// - Returns: false when it was not there.
    func removeTag(_ tag: OCITagName, in name: OCIRepositoryName) throws -> Bool {
        guard try self.tag(tag, in: name) != nil else { return false }
        try removeTagFile(tag, in: name)
        return true
    }

    private func removeTagFile(_ tag: OCITagName, in name: OCIRepositoryName) throws {
        let directory = "\(directory(name))/_tags"
        try Files.remove("\(directory)/\(tag)")
        try Files.syncDirectory(directory)
    }

    // MARK: Referrers

    private func addReferrer(
        _ bytes: [UInt8], _ document: OCIDocument, _ mediaType: String, _ digest: OCIDigest,
        to subject: OCIDigest, in name: OCIRepositoryName
    ) throws {
        let json = try ManifestRules.referrer(bytes, document, mediaType, digest)
        try within(name, "_referrers/\(subject)") { directory in
            try replace("\(directory)/\(digest)", json, in: name)
        }
    }

    /// The descriptors of the manifests that are about a digest, in the order of their digests, as many as a page takes.
    func referrers(to subject: OCIDigest, type: String?, after last: String?, in name: OCIRepositoryName)
        throws
        -> ReferrersPage
    {
        let directory = "\(directory(name))/_referrers/\(subject)"
        var page = ReferrersPage()
        for entry in try Files.list(directory).sorted() where OCIDigest(parsing: entry) != nil {
            if let last, entry <= last { continue }
            guard let bytes = try? Files.read("\(directory)/\(entry)", limit: OCIDocument.longest) else {
                continue
            }
            guard page.add(bytes, type: type) else { break }
        }
        return page
    }
}
