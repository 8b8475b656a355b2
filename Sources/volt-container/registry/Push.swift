import ContainerTransfer
import VoltCore
import VoltOCI
import VoltRegistry

/// Puts an image to a registry: what is there stays, what another repository of it has is mounted, what was made is sent, and
/// what came from another registry is fetched there again.
struct Push {
    private let blobs: [PushedBlob]
    private let layout: LayoutPlace
    private let destination: PushDestination
    private let source: PushSource
    private let directory: String

    init(
        _ blobs: [PushedBlob], _ directory: String, to repository: RepositoryPlace, of host: String,
        _ registries: Registries
    ) throws(VoltError) {
        self.blobs = blobs
        self.directory = directory
        layout = try LayoutPlace(directory, makes: true)
        var mounts: [String: [RepositoryPlace]] = [:]
        var others: [String: [RepositoryPlace]] = [:]
        for blob in blobs {
            let digest = blob.descriptor.digest
            for source in blob.sources {
                let reference = try OCIReference(source.repository)
                let place = try registries.place(reference, source.access)
                if place.name == repository.name { continue }
                if reference.host == host {
                    mounts[digest, default: []].append(place)
                }
                others[digest, default: []].append(place)
            }
        }
        destination = PushDestination(repository, mounts: mounts)
        source = PushSource(layout, others)
    }

    func run(manifest reference: String, tag: OCITagName) throws(VoltError) {
        let manifest = try layout.manifest(reference)
        var totals = PushTotals()
        totals.isUnchanged = try destination.resolve(tag.description) == manifest.digest
        if totals.isUnchanged { return try report(.pushed(totals)) }
        if try destination.resolve(manifest.digest.description) == nil {
            let missing = try lost()
            guard missing.isEmpty else { return try report(.missing(missing)) }
            var options = ContentCopy.Options()
            options.temporary = directory
            let copy = ContentCopy(options) { done, total in
                // The tool may be gone, which ends this program by itself.
                try? report(.progress(done: done, total: total))
            }
            // The largest first, so that all connections end at about the same time.
            let order = blobs.map(\.descriptor).sorted { $0.size > $1.size }
            let moved = try copy.blobs(order, from: source, to: destination)
            totals.blobs = moved.blobs
            totals.bytes = moved.bytes
            totals.kept = moved.kept
        }
        try destination.put(manifest, tag: tag)
        try report(.pushed(totals))
    }

    /// The blobs that are nowhere. What is at the destination, or can be mounted there, is there afterwards.
    private func lost() throws(VoltError) -> [String: String] {
        var missing: [String: String] = [:]
        for blob in blobs where blob.descriptor.urls?.isEmpty ?? true {
            let digest = try OCIDigest(blob.descriptor.digest)
            if try layout.hasBlob(digest) { continue }
            if try destination.hasBlob(digest) { continue }
            if try destination.take(digest, from: source) { continue }
            if let reason = source.whyMissing(digest) { missing[blob.descriptor.digest] = reason }
        }
        return missing
    }
}

/// Where an image goes: blobs are mounted from the repositories that had them.
final class PushDestination: ContentPlace {
    private let repository: RepositoryPlace
    private let mounts: [String: [RepositoryPlace]]

    init(_ repository: RepositoryPlace, mounts: [String: [RepositoryPlace]]) {
        self.repository = repository
        self.mounts = mounts
    }

    var name: String { repository.name }
    func manifest(_ reference: String) throws(VoltError) -> FetchedManifest {
        try repository.manifest(reference)
    }
    func resolve(_ reference: String) throws(VoltError) -> OCIDigest? { try repository.resolve(reference) }
    func put(_ manifest: FetchedManifest, tag: OCITagName?) throws(VoltError) {
        try repository.put(manifest, tag: tag)
    }
    func hasBlob(_ digest: OCIDigest) throws(VoltError) -> Bool { try repository.hasBlob(digest) }
    func read(_ blob: OCIDescriptor, _ sink: @escaping (UnsafeRawBufferPointer) throws(VoltError) -> Void)
        throws(VoltError)
    { try repository.read(blob, sink) }
    func write(_ digest: OCIDigest, from descriptor: Int32, size: UInt64) throws(VoltError) {
        try repository.write(digest, from: descriptor, size: size)
    }
    func referrers(to digest: OCIDigest) throws(VoltError) -> [OCIDescriptor] {
        try repository.referrers(to: digest)
    }
    func tags() throws(VoltError) -> [String] { try repository.tags() }
    func another() throws(VoltError) -> any ContentPlace {
        guard let next = try repository.another() as? RepositoryPlace else { return repository }
        return PushDestination(next, mounts: mounts)
    }

    /// Not from the place that is asked for, but from the repositories beside this one.
    func take(_ digest: OCIDigest, from other: any ContentPlace) throws(VoltError) -> Bool {
        for mount in mounts[digest.description] ?? [] {
            // It may be gone there, or not to be seen: then it has to be sent.
            if (try? repository.take(digest, from: mount)) == true { return true }
        }
        return false
    }
}

/// Where the blobs of an image come from: the layout with those that were made, and the registries that had the others.
final class PushSource: ContentPlace {
    private let layout: LayoutPlace
    private let others: [String: [RepositoryPlace]]

    init(_ layout: LayoutPlace, _ others: [String: [RepositoryPlace]]) {
        self.layout = layout
        self.others = others
    }

    /// Nil when one of the sources has it.
    func whyMissing(_ digest: OCIDigest) -> String? {
        var reason = "no registry is known to have it"
        for place in others[digest.description] ?? [] {
            do throws(VoltError) {
                if try place.hasBlob(digest) { return nil }
                reason = "'\(place.name)' does not have it any more"
            } catch { reason = error.message }
        }
        return reason
    }

    var name: String { layout.name }
    func manifest(_ reference: String) throws(VoltError) -> FetchedManifest { try layout.manifest(reference) }
    func resolve(_ reference: String) throws(VoltError) -> OCIDigest? { try layout.resolve(reference) }
    func put(_ manifest: FetchedManifest, tag: OCITagName?) throws(VoltError) {
        try layout.put(manifest, tag: tag)
    }
    func hasBlob(_ digest: OCIDigest) throws(VoltError) -> Bool { try layout.hasBlob(digest) }
    func write(_ digest: OCIDigest, from descriptor: Int32, size: UInt64) throws(VoltError) {
        try layout.write(digest, from: descriptor, size: size)
    }
    func referrers(to digest: OCIDigest) throws(VoltError) -> [OCIDescriptor] {
        try layout.referrers(to: digest)
    }
    func tags() throws(VoltError) -> [String] { try layout.tags() }
    func take(_ digest: OCIDigest, from other: any ContentPlace) throws(VoltError) -> Bool { false }

    func another() throws(VoltError) -> any ContentPlace {
        var copies: [String: [RepositoryPlace]] = [:]
        for (digest, places) in others {
            copies[digest] = try places.map { place throws(VoltError) in
                try place.another() as? RepositoryPlace
            }
            .compactMap { $0 }
        }
        return PushSource(layout, copies)
    }

    func read(_ blob: OCIDescriptor, _ sink: @escaping (UnsafeRawBufferPointer) throws(VoltError) -> Void)
        throws(VoltError)
    {
        let digest = try OCIDigest(blob.digest)
        if try layout.hasBlob(digest) { return try layout.read(blob, sink) }
        for place in others[blob.digest] ?? [] where (try? place.hasBlob(digest)) == true {
            return try place.read(blob, sink)
        }
        throw VoltError(
            .notFound, "blob '\(digest)' is gone from where it was a moment ago",
            hint: "run the command again")
    }
}
