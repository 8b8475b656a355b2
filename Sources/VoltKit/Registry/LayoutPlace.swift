internal import CVoltSystem
internal import FoundationEssentials
internal import Glibc
public import VoltCore
public import VoltOCI
internal import VoltSystem

/// An OCI image layout in a directory (OCI Image Format Specification 1.1, "image-layout.md"), to which is added.
///
/// What is in `index.json` was made durable before. Several processes may add to one layout.
public final class LayoutPlace: ContentPlace {
    private static let nameKey = "org.opencontainers.image.ref.name"
    /// What is not whole yet, so that `blobs` has nothing that is not named by its digest.
    private static let incoming = ".incoming"
    private static let index = "index.json"
    private let directory: String

    /// - Parameters:
    ///   - directory: of the layout.
    ///   - makes: whether it is made when it is not there.
    public init(_ directory: String, makes: Bool) throws(VoltError) {
        self.directory = directory
        if makes { Self.sweep("\(directory)/\(Self.incoming)") }
        if OCILayout.isLayout(directory) { return }
        guard makes else {
            throw VoltError(
                .notFound, "'\(directory)' is no OCI image layout",
                hint: "name a directory with oci-layout and index.json")
        }
        let foreign = VoltError(
            .conflict, "'\(directory)' is no OCI image layout and not empty",
            hint: "name a layout, an empty directory, or one that is not there")
        guard try Files.list(directory).allSatisfy(Self.isOfNewLayout) else { throw foreign }
        try Files.makeDirectory(directory)
        // Others may make it at the same time, and have put something into it already.
        let lock = try FileLock.wait(for: lockPath)
        if !OCILayout.isLayout(directory) {
            // The index is written last: this one is somebody else's.
            guard !Files.exists("\(directory)/\(Self.index)") else { throw foreign }
            try Files.makeDirectory("\(directory)/blobs/sha256")
            try Files.replace(
                "\(directory)/\(OCILayout.marker)", with: "{\"imageLayoutVersion\":\"1.0.0\"}".utf8)
            try Files.replace("\(directory)/\(Self.index)", with: try OCIJSON.encode(OCIIndex(manifests: [])))
        }
        lock.keep()
    }

    private var lockPath: String { "\(directory)/.lock" }

    /// Whether a file is of a layout that somebody is making, or had begun to make when he was killed.
    private static func isOfNewLayout(_ name: String) -> Bool {
        ["blobs", ".lock", incoming, OCILayout.marker, index].contains(name)
            || (name.hasSuffix(".tmp") && [OCILayout.marker, index].contains { name.hasPrefix("\($0).") })
    }

    /// For messages.
    public var name: String { "oci:\(directory)" }

    /// Removes what somebody left that was killed: nothing is written to for an hour without an end.
    private static func sweep(_ directory: String) {
        for entry in (try? Files.list(directory)) ?? [] {
            var information = stat()
            let path = "\(directory)/\(entry)"
            if stat(path, &information) == 0, time(nil).subtractingClamped(information.st_mtim.tv_sec) > 3600
            {
                unlink(path)
            }
        }
    }

    private func path(_ digest: OCIDigest) -> String { "blobs/\(digest.algorithm.rawValue)/\(digest.hex)" }

    private func index() throws(VoltError) -> OCIIndex {
        let bytes = try Files.read(beneath: directory, "index.json", limit: 64 << 20)
        do { return try JSONDecoder().decode(OCIIndex.self, from: Data(bytes)) } catch {
            throw VoltError(
                .failed, "'\(directory)/index.json' is not what an OCI image layout has there",
                hint: "make the layout again")
        }
    }

    /// The entry of a name; without names, and with one entry only, that one.
    private func entry(_ reference: String) throws(VoltError) -> OCIDescriptor? {
        let manifests = try index().manifests
        // The last one counts: others add behind.
        return manifests.last { $0.annotations?[Self.nameKey] == reference }
    }

    /// The digest of a tag or digest, or nil.
    public func resolve(_ reference: String) throws(VoltError) -> OCIDigest? {
        if let digest = OCIDigest(parsing: reference) {
            return Files.exists("\(directory)/\(path(digest))") ? digest : nil
        }
        return try entry(reference).map { entry throws(VoltError) in try entry.digest(at: self) }
    }

    /// A manifest by tag or digest, verified.
    public func manifest(_ reference: String) throws(VoltError) -> FetchedManifest {
        let entry = try entry(reference)
        guard
            let digest = try entry.map({ (entry) throws(VoltError) in try entry.digest(at: self) })
                ?? OCIDigest(parsing: reference)
        else {
            let names = try tags().joined(separator: ", ")
            throw VoltError(
                .notFound, "'\(name)' has no '\(reference)'",
                hint: names.isEmpty ? "it gives no names" : "it has \(names.prefix(300))")
        }
        let bytes = try Files.read(beneath: directory, path(digest), limit: OCIDocument.longest)
        guard OCIDigest.of(bytes, digest.algorithm) == digest else { throw damaged(digest) }
        do throws(VoltError) {
            let document = try OCIDocument(checking: bytes, type: entry?.mediaType)
            let type = document.mediaType ?? entry?.mediaType ?? OCIMediaType.manifest
            return FetchedManifest(digest: digest, mediaType: type, bytes: bytes, document: document)
        } catch {
            throw VoltError(
                error.code == .refused ? .refused : .failed,
                "'\(digest)' in '\(name)' cannot be used: \(error.message)",
                hint: "make the layout again")
        }
    }

    private func damaged(_ digest: OCIDigest) -> VoltError {
        VoltError(
            .refused, "'\(digest)' in '\(name)' has other bytes than its digest says",
            hint: "make the layout again")
    }

    /// The tags.
    public func tags() throws(VoltError) -> [String] {
        var seen: Set<String> = []
        return try index().manifests.compactMap { $0.annotations?[Self.nameKey] }.filter {
            seen.insert($0).inserted
        }
    }

    /// Whether a blob is there.
    public func hasBlob(_ digest: OCIDigest) throws(VoltError) -> Bool {
        Files.exists("\(directory)/\(path(digest))")
    }

    /// Gives the bytes of a blob, verified at the end.
    public func read(
        _ blob: OCIDescriptor, _ sink: @escaping (UnsafeRawBufferPointer) throws(VoltError) -> Void
    ) throws(VoltError) {
        let digest = try blob.digest(at: self)
        let descriptor = try open(digest)
        defer { close(descriptor) }
        let hasher = OCIHasher(digest.algorithm)
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 1 << 18, alignment: 4096)
        defer { buffer.deallocate() }
        var total: UInt64 = 0
        while true {
            let count = Glibc.read(descriptor, buffer.baseAddress, buffer.count)
            if count < 0, errno == EINTR { continue }
            guard count >= 0 else { throw SystemError.current.during("cannot read '\(digest)' of '\(name)'") }
            if count == 0 { break }
            let part = UnsafeRawBufferPointer(rebasing: buffer[..<count])
            hasher.update(part)
            total += UInt64(count)
            try sink(part)
        }
        guard total == blob.size, hasher.finish() == digest else { throw damaged(digest) }
    }

    private func open(_ digest: OCIDigest) throws(VoltError) -> Int32 {
        let root = volt_open(directory, O_RDONLY | O_DIRECTORY, 0)
        guard root >= 0 else { throw SystemError.current.during("cannot open '\(directory)'") }
        defer { close(root) }
        let descriptor = volt_open_beneath(root, path(digest), O_RDONLY | O_NONBLOCK, 0)
        guard descriptor >= 0 else {
            throw SystemError.current.during("cannot open '\(digest)' of '\(name)'")
        }
        return descriptor
    }

    /// Keeps a blob that an open file has.
    public func write(_ digest: OCIDigest, from descriptor: Int32, size: UInt64) throws(VoltError) {
        try add(digest) { output throws(VoltError) in
            var offset: off_t = 0
            while offset < off_t(size) {
                let count = sendfile(output, descriptor, &offset, Int(min(size - UInt64(offset), 1 << 30)))
                if count < 0, errno == EINTR { continue }
                guard count > 0 else { throw SystemError.current.during("cannot write '\(self.name)'") }
            }
        }
    }

    private func add(_ digest: OCIDigest, _ body: (Int32) throws(VoltError) -> Void) throws(VoltError) {
        let path = "\(directory)/\(path(digest))"
        let parent = Files.parent(of: path)
        try Files.makeDirectory(parent)
        try Files.makeDirectory("\(directory)/\(Self.incoming)")
        let temporary = "\(directory)/\(Self.incoming)/\(getpid()).\(UInt32.random(in: 0...UInt32.max))"
        let output = volt_open(temporary, O_WRONLY | O_CREAT | O_EXCL, 0o644)
        guard output >= 0 else { throw SystemError.current.during("cannot write '\(name)'") }
        do throws(VoltError) {
            defer { close(output) }
            try body(output)
            guard fsync(output) == 0 else { throw SystemError.current.during("cannot write '\(name)'") }
        } catch {
            unlink(temporary)
            throw error
        }
        try Files.move(temporary, path)
        try Files.syncDirectory(parent)
    }

    /// Keeps a manifest under its digest and, when there is one, a tag.
    public func put(_ manifest: FetchedManifest, tag: OCITagName?) throws(VoltError) {
        let digest = manifest.digest
        if try !hasBlob(digest) {
            try add(digest) { output throws(VoltError) in
                try Files.write(manifest.bytes, to: output, named: self.name)
            }
        }
        // What is about another one is found by its entry, and so is what has a name.
        guard tag != nil || manifest.document.subject != nil else { return }
        let lock = try FileLock.wait(for: lockPath)
        var index = try index()
        var descriptor = manifest.descriptor
        if let tag {
            descriptor.annotations = [Self.nameKey: tag.description]
            index.manifests.removeAll { $0.annotations?[Self.nameKey] == tag.description }
        } else if index.manifests.contains(where: { $0.digest == descriptor.digest }) {
            return
        }
        index.manifests.append(descriptor)
        try Files.replace("\(directory)/index.json", with: try OCIJSON.encode(index))
        lock.keep()
    }

    /// What is about a manifest.
    public func referrers(to digest: OCIDigest) throws(VoltError) -> [OCIDescriptor] {
        var found: [OCIDescriptor] = []
        var seen: Set<String> = []
        for entry in try index().manifests where seen.insert(entry.digest).inserted {
            let manifest = try manifest(entry.digest)
            guard manifest.document.subject?.digest == digest.description else { continue }
            var descriptor = manifest.descriptor
            descriptor.artifactType = manifest.document.referrerType
            descriptor.annotations = manifest.document.annotations
            found.append(descriptor)
        }
        guard let list = try entry(OCICompanionTag.list(of: digest)),
            OCIMediaType.indexes.contains(list.mediaType ?? "")
        else { return found }
        for descriptor in try manifest(list.digest).document.manifests
        where !found.contains(where: { $0.digest == descriptor.digest }) {
            if try resolve(descriptor.digest) != nil { found.append(descriptor) }
        }
        return found
    }

    /// Takes a blob over without moving it; false when it has to be moved.
    public func take(_ digest: OCIDigest, from other: any ContentPlace) throws(VoltError) -> Bool { false }

    /// The same place for another thread.
    public func another() throws(VoltError) -> any ContentPlace { try LayoutPlace(directory, makes: false) }
}
