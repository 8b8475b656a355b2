public import VoltCore
public import VoltOCI

/// The companions of a manifest: signatures and documents that come and go with it.
public struct Companions: Sendable {
    /// A manifest that belongs to another one.
    public struct Item: Sendable {
        /// The tag under which it lies; nil for one that refers to the other, or is in the list of its tag.
        public var tag: OCITagName?
        /// How others name it.
        public var descriptor: OCIDescriptor
    }

    /// The manifests.
    public var items: [Item] = []
    /// Whether there is a tag with the list of them.
    public var hasList = false
}

extension ContentPlace {
    /// The companions of a manifest: its referrers, those in the list at its tag, and those at the tags of cosign.
    ///
    /// - Parameter tags: those of the place when they are known, so that it is not asked for each.
    public func companions(of digest: OCIDigest, among tags: Set<String>? = nil) throws(VoltError)
        -> Companions
    {
        var found = Companions()
        found.items = try referrers(to: digest).map { Companions.Item(tag: nil, descriptor: $0) }
        var seen = Set(found.items.map(\.descriptor.digest))
        for tag in OCICompanionTag.tags(of: digest) {
            if let tags, !tags.contains(tag.description) { continue }
            guard try resolve(tag.description) != nil else { continue }
            let manifest = try manifest(tag.description)
            guard OCICompanionTag(tag.description)?.isList == true else {
                var descriptor = manifest.descriptor
                descriptor.artifactType = manifest.document.referrerType
                descriptor.annotations = manifest.document.annotations
                found.items.append(Companions.Item(tag: tag, descriptor: descriptor))
                continue
            }
            // What else has that name is somebody's image.
            guard OCIMediaType.indexes.contains(manifest.mediaType) else { continue }
            found.hasList = true
            for descriptor in manifest.document.manifests where seen.insert(descriptor.digest).inserted {
                // A list may be older than what was removed.
                guard try resolve(descriptor.digest) != nil else { continue }
                found.items.append(Companions.Item(tag: nil, descriptor: descriptor))
            }
        }
        return found
    }

    /// Adds manifests that do not say themselves what they are about to the list in a tag.
    func addToList(_ descriptors: [OCIDescriptor], of digest: OCIDigest) throws(VoltError) {
        guard let tag = OCITagName(parsing: OCICompanionTag.list(of: digest)) else { return }
        var list: [OCIDescriptor] = []
        if try resolve(tag.description) != nil { list = try manifest(tag.description).document.manifests }
        let new = descriptors.filter { descriptor in !list.contains { $0.digest == descriptor.digest } }
        if new.isEmpty { return }
        let bytes = try OCIJSON.encode(OCIIndex(manifests: list + new))
        try put(FetchedManifest(digest: .of(bytes), mediaType: OCIMediaType.index, bytes: bytes), tag: tag)
    }
}
