internal import CVoltSystem
internal import Dispatch
internal import Glibc
internal import Synchronization
public import VoltCore
public import VoltOCI
internal import VoltSystem

/// Copies images and artifacts from one place to another, byte by byte, with all that they need.
public struct ContentCopy: Sendable {
    /// What is copied.
    public struct Options: Sendable {
        /// Of an index only the image for this platform, which is then copied in place of the index; nil for all.
        public var platform: OCIPlatform?
        /// Also what is about it, such as signatures, and what is about that.
        public var referrers = false
        /// The tags of the source when they are known, so that it is not asked for each that may belong to an image.
        public var tags: Set<String>?
        /// Blobs that are moved at a time.
        public var parallel = 4
        /// For blobs on their way.
        public var temporary = "/tmp"

        /// The options above.
        public init() {}
    }

    /// What was done.
    public struct Result: Sendable, Codable {
        /// Of what was asked for.
        public var digest: OCIDigest
        /// What was put.
        public var manifests = 0
        /// Blobs that were moved.
        public var blobs = 0
        /// Their bytes.
        public var bytes: UInt64 = 0
        /// Blobs that were there, or were mounted from another repository.
        public var kept = 0
        /// Tags that came along since they belong to an image.
        public var companionTags: Set<String> = []

        private enum CodingKeys: CodingKey { case digest, manifests, blobs, bytes, kept }
    }

    private let options: Options
    private let progress: @Sendable (_ done: UInt64, _ total: UInt64) -> Void

    /// - Parameter progress: called with the bytes of blobs that are done, on any thread.
    public init(_ options: Options, progress: @escaping @Sendable (UInt64, UInt64) -> Void = { _, _ in }) {
        self.options = options
        self.progress = progress
    }

    /// Copies what a reference names.
    ///
    /// - Parameters:
    ///   - reference: a tag or digest of the source.
    ///   - tag: at the destination; nil for none.
    public func run(
        _ reference: String, from source: any ContentPlace, to destination: any ContentPlace, tag: OCITagName?
    ) throws(VoltError) -> Result {
        var root = try source.manifest(reference)
        if let platform = options.platform { root = try Self.select(root, platform, source) }
        var result = Result(digest: root.digest)
        var visited: Set<OCIDigest> = []
        try copy(root, tag: tag, source, destination, &result, &visited, depth: 0)
        return result
    }

    /// The image for a platform of an index.
    public static func select(
        _ manifest: FetchedManifest, _ platform: OCIPlatform, _ source: any ContentPlace
    )
        throws(VoltError) -> FetchedManifest
    {
        guard OCIMediaType.indexes.contains(manifest.mediaType) else { return manifest }
        let candidates = manifest.document.manifests
        let fitting = candidates.filter {
            $0.platform?.os == platform.os && $0.platform?.architecture == platform.architecture
                && (platform.variant == nil || $0.platform?.variant == platform.variant)
        }
        guard let chosen = fitting.first else {
            let has = candidates.compactMap { $0.platform?.description }.joined(separator: ", ")
            throw VoltError(
                .notFound, "'\(source.name)' has no image for \(platform)",
                hint: "it has \(has.isEmpty ? "none" : has)")
        }
        return try source.manifest(chosen.digest)
    }

    private func copy(
        _ manifest: FetchedManifest, tag: OCITagName?, _ source: any ContentPlace,
        _ destination: any ContentPlace,
        _ result: inout Result, _ visited: inout Set<OCIDigest>, depth: Int
    ) throws(VoltError) {
        guard depth < 8 else {
            throw VoltError(.refused, "the indexes of '\(source.name)' are nested too deep")
        }
        let isThere = try destination.resolve(manifest.digest.description) != nil
        // An index may be there without what it lists.
        for child in manifest.document.manifests {
            guard try source.resolve(child.digest) != nil else { continue }
            try copy(
                try source.manifest(child.digest), tag: nil, source, destination, &result, &visited,
                depth: depth + 1)
        }
        if !isThere { try copyBlobs(manifest.document.blobs, source, destination, &result) }
        if !isThere || tag != nil {
            try destination.put(manifest, tag: tag)
            result.manifests += 1
        }
        // Tags may lead in a circle.
        guard options.referrers, visited.insert(manifest.digest).inserted else { return }
        var unlinked: [OCIDescriptor] = []
        let companions = try source.companions(of: manifest.digest, among: options.tags)
        for companion in companions.items {
            let other = try source.manifest(companion.descriptor.digest)
            try copy(other, tag: companion.tag, source, destination, &result, &visited, depth: depth + 1)
            if let tag = companion.tag { result.companionTags.insert(tag.description) }
            if companion.tag == nil, other.document.subject == nil { unlinked.append(companion.descriptor) }
        }
        if companions.hasList { result.companionTags.insert(OCICompanionTag.list(of: manifest.digest)) }
        try destination.addToList(unlinked, of: manifest.digest)
    }

    // MARK: Blobs

    /// Copies blobs and nothing else.
    ///
    /// - Returns: what was moved; the digest means nothing.
    @discardableResult
    public func blobs(
        _ descriptors: [OCIDescriptor], from source: any ContentPlace, to destination: any ContentPlace
    ) throws(VoltError) -> Result {
        var result = Result(digest: .of([]))
        try copyBlobs(descriptors, source, destination, &result)
        return result
    }

    private struct Work {
        var next = 0
        var failure: VoltError?
        var done: UInt64 = 0
        var result = (blobs: 0, bytes: UInt64(0), kept: 0)
    }

    private func copyBlobs(
        _ descriptors: [OCIDescriptor], _ source: any ContentPlace, _ destination: any ContentPlace,
        _ result: inout Result
    ) throws(VoltError) {
        var seen: Set<String> = []
        let blobs = descriptors.filter { ($0.urls?.isEmpty ?? true) && seen.insert($0.digest).inserted }
        if blobs.isEmpty { return }
        let total = blobs.reduce(UInt64(0)) { $0.addingClamped($1.size) }
        let work = Mutex(Work())
        let count = min(options.parallel, blobs.count)
        var made: [(any ContentPlace, any ContentPlace)] = [(source, destination)]
        for _ in 1..<max(1, count) { made.append((try source.another(), try destination.another())) }
        // Not changed from here on, and each thread uses the places at its own number alone.
        nonisolated(unsafe) let places = made
        DispatchQueue.concurrentPerform(iterations: count) { thread in
            let (from, to) = places[thread]
            while true {
                let blob: OCIDescriptor? = work.withLock { work in
                    guard work.failure == nil, work.next < blobs.count else { return nil }
                    work.next += 1
                    return blobs[work.next - 1]
                }
                guard let blob else { return }
                do throws(VoltError) {
                    let isMoved = try move(blob, from, to)
                    let done = work.withLock { work in
                        work.done = work.done.addingClamped(blob.size)
                        if isMoved {
                            work.result.blobs += 1
                            work.result.bytes = work.result.bytes.addingClamped(blob.size)
                        } else {
                            work.result.kept += 1
                        }
                        return work.done
                    }
                    progress(done, total)
                } catch {
                    work.withLock { $0.failure = $0.failure ?? error }
                }
            }
        }
        let end = work.withLock { $0 }
        result.blobs += end.result.blobs
        result.bytes = result.bytes.addingClamped(end.result.bytes)
        result.kept += end.result.kept
        if let failure = end.failure { throw failure }
    }

    /// False when it was there, or was mounted.
    private func move(_ blob: OCIDescriptor, _ source: any ContentPlace, _ destination: any ContentPlace)
        throws(VoltError) -> Bool
    {
        let digest = try blob.digest(at: source)
        if try destination.hasBlob(digest) { return false }
        if try destination.take(digest, from: source) { return false }
        let descriptor = try Self.temporary(options.temporary)
        defer { close(descriptor) }
        try source.read(blob) { part throws(VoltError) in
            var done = 0
            while done < part.count {
                let count = Glibc.write(descriptor, part.baseAddress?.advanced(by: done), part.count - done)
                if count < 0, errno == EINTR { continue }
                guard count > 0 else { throw SystemError.current.during("cannot keep a blob on its way") }
                done += count
            }
        }
        try destination.write(digest, from: descriptor, size: blob.size)
        return true
    }

    /// A file without a name.
    private static func temporary(_ directory: String) throws(VoltError) -> Int32 {
        let path = "\(directory)/.volt-\(getpid())-\(UInt64.random(in: 0...UInt64.max))"
        let descriptor = volt_open(path, O_RDWR | O_CREAT | O_EXCL, 0o600)
        guard descriptor >= 0 else { throw SystemError.current.during("cannot write '\(path)'") }
        unlink(path)
        return descriptor
    }
}
