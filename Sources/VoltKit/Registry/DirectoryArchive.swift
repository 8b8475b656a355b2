internal import CVoltSystem
internal import Glibc
internal import VoltArchive
internal import VoltCore
internal import VoltSystem

/// A directory as ORAS packs one: a tar archive with gzip, whose entries begin with the name of the directory. The same
/// files give the same bytes, whoever owns them.
struct DirectoryArchive {
    /// Where the archive is; removed by `remove`.
    let path: String
    /// The digest of the archive before it was compressed.
    let plain: Digest
    private let folder: String

    private static let deepest = 256

    /// - Parameters:
    ///   - directory: what is packed; links are kept as links.
    ///   - title: with what the entries begin.
    ///   - temporary: for the archive.
    init(_ directory: String, title: String, temporary: String) throws(VoltError) {
        folder = "\(temporary)/.volt-\(getpid())-\(UInt64.random(in: 0...UInt64.max))"
        guard mkdir(folder, 0o700) == 0 else { throw SystemError.current.during("cannot write '\(folder)'") }
        path = "\(folder)/archive"
        do {
            let writer = try TarWriter(path: path, compression: .gzip)
            try Self.add(directory, Array(title.utf8), to: writer, depth: 0)
            plain = try writer.finish().plain
        } catch {
            try? Files.removeTree(folder)
            throw error as? VoltError ?? VoltError(.failed, "cannot pack '\(directory)': \(error)")
        }
    }

    /// Removes the archive.
    func remove() { try? Files.removeTree(folder) }

    private static func add(_ path: String, _ name: [UInt8], to writer: TarWriter, depth: Int) throws {
        guard depth < deepest else { throw VoltError(.refused, "'\(path)' is nested too deep") }
        var information = stat()
        guard lstat(path, &information) == 0 else {
            throw SystemError.current.during("cannot read '\(path)'")
        }
        var attributes = FileAttributes(mode: UInt32(information.st_mode & 0o7777))
        attributes.modified = (Int64(information.st_mtim.tv_sec), 0)
        switch information.st_mode & S_IFMT {
        case S_IFDIR:
            try writer.add(name, .directory, attributes)
            for entry in try Files.list(path).sorted(by: { $0.utf8.lexicographicallyPrecedes($1.utf8) }) {
                try add("\(path)/\(entry)", name + [47] + Array(entry.utf8), to: writer, depth: depth + 1)
            }
        case S_IFLNK:
            var buffer = [UInt8](repeating: 0, count: Int(PATH_MAX))
            let count = readlink(path, &buffer, buffer.count)
            guard count > 0, count < buffer.count else {
                throw SystemError.current.during("cannot read '\(path)'")
            }
            try writer.add(name, .link(target: Array(buffer[..<count])), attributes)
        case S_IFREG:
            let descriptor = volt_open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK, 0)
            guard descriptor >= 0 else { throw SystemError.current.during("cannot open '\(path)'") }
            defer { close(descriptor) }
            guard fstat(descriptor, &information) == 0 else {
                throw SystemError.current.during("cannot read '\(path)'")
            }
            try writer.add(name, .file(size: UInt64(information.st_size)), attributes) { sink in
                try copy(descriptor, path, sink)
            }
        default:
            throw VoltError(
                .refused, "'\(path)' is no file, directory or link", hint: "leave it out of the directory")
        }
    }

    private static func copy(
        _ descriptor: Int32, _ path: String, _ sink: (UnsafeRawBufferPointer) throws -> Void
    )
        throws
    {
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 1 << 18, alignment: 4096)
        defer { buffer.deallocate() }
        while true {
            let count = read(descriptor, buffer.baseAddress, buffer.count)
            if count < 0, errno == EINTR { continue }
            guard count >= 0 else { throw SystemError.current.during("cannot read '\(path)'") }
            if count == 0 { return }
            try sink(UnsafeRawBufferPointer(rebasing: buffer[..<count]))
        }
    }
}
