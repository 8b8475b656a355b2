internal import CVoltSystem
internal import Glibc
internal import VoltArchive
public import VoltCore
public import VoltOCI
internal import VoltSystem

/// Files as an artifact (OCI Image Format Specification 1.1, "Guidelines for Artifact Usage"), named as ORAS names them.
public struct Artifact: Sendable {
    /// A file, or a directory, and what it is.
    public struct File: Sendable {
        /// Where it is.
        public var path: String
        /// What it is called in the artifact.
        public var title: String
        /// What it is; of a directory nil is an archive of it.
        public var mediaType: String?
        /// Free text by key.
        public var annotations: [String: String] = [:]

        /// Parses `PATH[:TYPE]`.
        public init(_ text: String) {
            let colon = text.lastIndex(of: ":")
            let type = colon.map { String(text[text.index(after: $0)...]) }
            if let colon, let type, type.contains("/"), !type.hasPrefix("/") {
                path = String(text[..<colon])
                mediaType = type
            } else {
                path = text
                mediaType = nil
            }
            while path.count > 1, path.hasSuffix("/") { path.removeLast() }
            title = path
        }
    }

    /// What the artifact is; nil for what has a configuration of its own, or is about nothing in particular.
    public var type: String?
    /// What it is made of.
    public var files: [File] = []
    /// What its makers want to have beside; nil for `{}`.
    public var config: File?
    /// Free text by key.
    public var annotations: [String: String] = [:]
    /// What it is about.
    public var subject: OCIDescriptor?

    /// For archives of directories.
    public var temporary = "/tmp"

    /// What ORAS calls an artifact of which nobody says what it is.
    public static let unknownType = "application/vnd.unknown.artifact.v1"
    private static let titleKey = "org.opencontainers.image.title"
    private static let unpackKey = "io.deis.oras.content.unpack"
    private static let plainKey = "io.deis.oras.content.digest"

    /// An artifact without anything.
    public init() {}

    // MARK: Push

    /// Pushes the files, and then the manifest.
    ///
    /// - Parameter tag: nil for none.
    public func push(
        to place: any ContentPlace, tag: OCITagName?,
        progress: (_ done: UInt64, _ total: UInt64) -> Void = { _, _ in }
    ) throws(VoltError) -> FetchedManifest {
        var layers: [OCIDescriptor] = []
        for file in files {
            let isDirectory = Files.isDirectory(file.path)
            var descriptor = try isDirectory ? pushDirectory(file, to: place) : Self.push(file, to: place)
            var annotations = file.annotations.merging(descriptor.annotations ?? [:]) { $1 }
            annotations[Self.titleKey] = file.title
            descriptor.annotations = annotations
            layers.append(descriptor)
            progress(UInt64(layers.count), UInt64(files.count))
        }
        let configuration: OCIDescriptor
        if let config {
            var pushed = try Self.push(config, to: place)
            if !config.annotations.isEmpty { pushed.annotations = config.annotations }
            configuration = pushed
        } else {
            configuration = try Self.pushEmpty(to: place)
        }
        // A manifest has at least one layer ("manifest.md", `layers`).
        if layers.isEmpty { layers = [try Self.pushEmpty(to: place)] }
        let manifest = OCIManifest(
            config: configuration, layers: layers,
            artifactType: type ?? (config == nil ? Self.unknownType : nil),
            subject: subject, annotations: annotations.isEmpty ? nil : annotations)
        let bytes = try OCIJSON.encode(manifest)
        let made = try FetchedManifest(digest: .of(bytes), mediaType: OCIMediaType.manifest, bytes: bytes)
        try place.put(made, tag: tag)
        return made
    }

    /// Pushes a directory as an archive that is unpacked again where it is pulled.
    private func pushDirectory(_ file: File, to place: any ContentPlace) throws(VoltError) -> OCIDescriptor {
        let archive = try DirectoryArchive(file.path, title: file.title, temporary: temporary)
        defer { archive.remove() }
        var packed = file
        packed.path = archive.path
        packed.mediaType = file.mediaType ?? "\(OCIMediaType.layer)+gzip"
        var descriptor = try Self.push(packed, to: place)
        descriptor.annotations = [Self.unpackKey: "true", Self.plainKey: archive.plain.description]
        return descriptor
    }

    private static func pushEmpty(to place: any ContentPlace) throws(VoltError) -> OCIDescriptor {
        let digest = try place.write(Array("{}".utf8))
        return OCIDescriptor(mediaType: OCIMediaType.empty, digest: digest.description, size: 2, data: "e30=")
    }

    /// Pushes a file as a blob.
    public static func pushBlob(_ path: String, to place: any ContentPlace) throws(VoltError) -> OCIDigest {
        var file = File("x")
        file.path = path
        return try OCIDigest(try push(file, to: place).digest)
    }

    private static func push(_ file: File, to place: any ContentPlace) throws(VoltError) -> OCIDescriptor {
        let descriptor = volt_open(file.path, O_RDONLY | O_NONBLOCK, 0)
        guard descriptor >= 0 else { throw SystemError.current.during("cannot open '\(file.path)'") }
        defer { close(descriptor) }
        var information = stat()
        guard fstat(descriptor, &information) == 0, information.st_mode & S_IFMT == S_IFREG else {
            throw VoltError(.usage, "'\(file.path)' is not a file", hint: "name a file")
        }
        let hasher = OCIHasher()
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 1 << 18, alignment: 4096)
        defer { buffer.deallocate() }
        var size: UInt64 = 0
        while true {
            let count = pread(descriptor, buffer.baseAddress, buffer.count, off_t(size))
            if count < 0, errno == EINTR { continue }
            guard count >= 0 else { throw SystemError.current.during("cannot read '\(file.path)'") }
            if count == 0 { break }
            hasher.update(UnsafeRawBufferPointer(rebasing: buffer[..<count]))
            size += UInt64(count)
        }
        let digest = hasher.finish()
        if try !place.hasBlob(digest) { try place.write(digest, from: descriptor, size: size) }
        return OCIDescriptor(
            mediaType: file.mediaType ?? "application/octet-stream", digest: digest.description, size: size)
    }

    // MARK: Pull

    /// Writes the files of an artifact into a directory, and unpacks those that were directories. Nothing is written
    /// outside of it, whatever the artifact says.
    ///
    /// - Parameter overwrites: whether files that are there are replaced.
    /// - Returns: the files that were written, and how many parts have no name and were left out.
    public static func pull(
        _ manifest: FetchedManifest, from place: any ContentPlace, into directory: String, overwrites: Bool
    ) throws(VoltError) -> (files: [String], skipped: Int) {
        var written: [String] = []
        var skipped = 0
        try Files.makeDirectory(directory)
        try sweep(directory)
        for layer in manifest.document.layers {
            guard let title = layer.annotations?[titleKey] else {
                skipped += 1
                continue
            }
            try write(layer, title, place, directory, overwrites)
            written.append(title)
        }
        return (written, skipped)
    }

    /// The parts of a title that stays in its directory.
    private static func parts(_ title: String) throws(VoltError) -> [Substring] {
        let parts = title.split(separator: "/", omittingEmptySubsequences: false)
        guard title.utf8.count <= 4096, !title.utf8.contains(0),
            parts.allSatisfy({ !$0.isEmpty && $0 != ".." && $0 != "." && $0.utf8.count <= 255 })
        else {
            throw VoltError(
                .refused,
                "the artifact has a file called '\(title.prefix(200))', which is no name below a directory")
        }
        return parts
    }

    private static let temporaryPrefix = ".volt-"

    /// A file that is not whole yet, locked as long as somebody writes to it.
    private static func makeTemporary(_ directory: String) throws(VoltError) -> (String, Int32) {
        while true {
            let path = "\(directory)/\(temporaryPrefix)\(getpid())-\(UInt64.random(in: 0...UInt64.max))"
            let descriptor = volt_open(path, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW, 0o644)
            guard descriptor >= 0 else { throw SystemError.current.during("cannot write '\(path)'") }
            var information = stat()
            // Somebody who sweeps may have been faster.
            if flock(descriptor, LOCK_EX | LOCK_NB) == 0, fstat(descriptor, &information) == 0,
                information.st_nlink > 0
            {
                return (path, descriptor)
            }
            close(descriptor)
        }
    }

    /// Removes what pulls have left that were killed.
    private static func sweep(_ directory: String) throws(VoltError) {
        for name in try Files.list(directory) where isTemporary(name) {
            let path = "\(directory)/\(name)"
            let descriptor = volt_open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK, 0)
            guard descriptor >= 0 else { continue }
            var information = stat()
            if fstat(descriptor, &information) == 0, information.st_mode & S_IFMT == S_IFREG,
                flock(descriptor, LOCK_EX | LOCK_NB) == 0
            {
                unlink(path)
            }
            close(descriptor)
        }
    }

    /// `.volt-PID-NUMBER`.
    private static func isTemporary(_ name: String) -> Bool {
        let parts = name.dropFirst(temporaryPrefix.count).split(
            separator: "-", omittingEmptySubsequences: false)
        return name.hasPrefix(temporaryPrefix) && parts.count == 2 && Int32(parts[0]) != nil
            && UInt64(parts[1]) != nil
    }

    private static func write(
        _ layer: OCIDescriptor, _ title: String, _ place: any ContentPlace, _ directory: String,
        _ overwrites: Bool
    ) throws(VoltError) {
        let parts = try parts(title)
        var parent = directory
        for part in parts.dropLast() {
            parent += "/\(part)"
            if mkdir(parent, 0o755) == 0 { continue }
            var information = stat()
            guard errno == EEXIST, lstat(parent, &information) == 0, information.st_mode & S_IFMT == S_IFDIR
            else {
                throw VoltError(.refused, "'\(parent)' is in the way of '\(title)'")
            }
        }
        let (temporary, output) = try makeTemporary(directory)
        defer {
            close(output)
            unlink(temporary)
        }
        try place.read(layer) { part throws(VoltError) in
            try Files.write(Array(part), to: output, named: title)
        }
        guard fsync(output) == 0 else { throw SystemError.current.during("cannot write '\(title)'") }
        if layer.annotations?[unpackKey] == "true" {
            guard lseek(output, 0, SEEK_SET) == 0 else {
                throw SystemError.current.during("cannot read '\(title)'")
            }
            var options = UnpackOptions()
            options.isLayer = false
            if geteuid() != 0 { options.owner = (geteuid(), getegid()) }
            _ = try Tar.unpack(descriptor: output, name: title, into: directory, options: options)
            return
        }
        let path = "\(directory)/\(title)"
        // Not over a link or a directory, and over a file only when that is wanted.
        if overwrites {
            guard rename(temporary, path) == 0 else {
                throw SystemError.current.during("cannot write '\(path)'")
            }
        } else {
            guard link(temporary, path) == 0 else {
                if errno == EEXIST {
                    throw VoltError(.conflict, "'\(path)' is there already", hint: "replace it with --force")
                }
                throw SystemError.current.during("cannot write '\(path)'")
            }
        }
    }
}
