internal import VoltCore
internal import VoltOCI
internal import VoltSystem

/// The tags of a repository: names, and those that belong to a manifest.
struct RepositoryTags {
    struct Companion {
        let tag: OCITagName
        /// What it names.
        let digest: OCIDigest
        /// The manifest that it belongs to; nil when that is not there.
        let subject: Digest?
    }

    var names: [OCITagName] = []
    var companions: [Companion] = []

    init() {}

    init(_ storage: RegistryStorage, _ name: OCIRepositoryName) throws {
        let directory = "\(storage.directory(name))/_manifests"
        var subjects: [String: Digest]?
        for tag in try storage.tags(in: name) {
            guard let stem = try storage.companion(tag, in: name), let digest = try storage.tag(tag, in: name)
            else {
                names.append(tag)
                continue
            }
            if subjects == nil {
                var found: [String: Digest] = [:]
                for entry in try Files.list(directory) {
                    guard let digest = OCIDigest(parsing: entry) else { continue }
                    found[OCICompanionTag.stem(of: digest)] = storage.resolve(digest, directory)
                }
                subjects = found
            }
            companions.append(Companion(tag: tag, digest: digest, subject: subjects?[stem]))
        }
    }
}
