internal import CVoltSystem
internal import Glibc
public import VoltCore

/// Whole files, written so that a crash leaves either the old bytes or the new ones.
public enum Files {
    /// The bytes of a file.
    ///
    /// - Parameters:
    ///   - path: the file; links are followed.
    ///   - limit: refuse a larger file, in bytes.
    /// - Throws: `VoltError`; code `notFound` when there is no such file.
    public static func read(_ path: String, limit: Int = 64 << 20) throws(VoltError) -> [UInt8] {
        let descriptor = volt_open(path, O_RDONLY, 0)
        guard descriptor >= 0 else { throw SystemError.current.during("cannot open '\(path)'") }
        defer { close(descriptor) }
        return try read(descriptor: descriptor, named: path, limit: limit)
    }

    /// The bytes of a regular file, opened so that nothing in its place can hold the reader up: a pipe, a device, a
    /// file under a lease.
    ///
    /// - Throws: `VoltError`; code `notFound` when there is no such file, `refused` when it is something else, or
    ///   larger than the limit.
    public static func read(regular path: String, limit: Int) throws(VoltError) -> [UInt8] {
        let descriptor = volt_open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY, 0)
        guard descriptor >= 0 else { throw SystemError.current.during("cannot open '\(path)'") }
        defer { close(descriptor) }
        var information = stat()
        guard fstat(descriptor, &information) == 0, information.st_mode & S_IFMT == S_IFREG else {
            throw VoltError(.refused, "'\(path)' is not a regular file")
        }
        return try read(descriptor: descriptor, named: path, limit: limit)
    }

    /// The bytes of a file below a directory, reached through no link and no `..`.
    ///
    /// - Throws: `VoltError`; code `notFound` when there is no such file, `refused` when the path leaves
    ///   the directory or passes a link.
    public static func read(beneath directory: String, _ path: String, limit: Int) throws(VoltError)
        -> [UInt8]
    {
        let parent = volt_open(directory, O_RDONLY | O_DIRECTORY, 0)
        guard parent >= 0 else { throw SystemError.current.during("cannot open '\(directory)'") }
        defer { close(parent) }
        let descriptor = volt_open_beneath(parent, path, O_RDONLY | O_NONBLOCK, 0)
        guard descriptor >= 0 else {
            let error = SystemError.current
            if error.number == ELOOP || error.number == EXDEV {
                throw VoltError(
                    .refused, "'\(path)' is a link, or leads out of '\(directory)'",
                    hint: "replace the link by the file itself")
            }
            throw error.during("cannot open '\(path)' in '\(directory)'")
        }
        defer { close(descriptor) }
        return try read(descriptor: descriptor, named: path, limit: limit)
    }

    private static func read(descriptor: Int32, named path: String, limit: Int) throws(VoltError) -> [UInt8] {
        var information = stat()
        guard fstat(descriptor, &information) == 0 else {
            throw SystemError.current.during("cannot read '\(path)'")
        }
        guard information.st_mode & S_IFMT != S_IFDIR else {
            throw VoltError(.failed, "'\(path)' is a directory")
        }
        var bytes: [UInt8] = []
        // Files in /proc say that they have no bytes.
        let size = information.st_size > 0 ? Int(information.st_size) + 1 : 1 << 16
        var buffer = [UInt8](repeating: 0, count: min(size, 1 << 16))
        while true {
            let count = Glibc.read(descriptor, &buffer, buffer.count)
            if count < 0 {
                if errno == EINTR { continue }
                throw SystemError.current.during("cannot read '\(path)'")
            }
            if count == 0 { return bytes }
            guard bytes.count + count <= limit else {
                throw VoltError(.refused, "'\(path)' is larger than \(ByteSize(bytes: UInt64(limit)))")
            }
            bytes.append(contentsOf: buffer[..<count])
        }
    }

    /// Writes a file through a temporary one beside it: synced, renamed, and the directory synced, so
    /// that the new bytes are on disk under their name when this returns.
    public static func replace(_ path: String, with bytes: some Sequence<UInt8>, mode: UInt32 = 0o644)
        throws(VoltError)
    {
        let temporary = "\(path).\(getpid()).\(UInt32.random(in: 0...UInt32.max)).tmp"
        let failure = "cannot write '\(path)'"
        let descriptor = volt_open(temporary, O_WRONLY | O_CREAT | O_EXCL, mode)
        guard descriptor >= 0 else { throw SystemError.current.during(failure) }
        do throws(VoltError) {
            defer { close(descriptor) }
            // The mode of open(2) is cut by the umask.
            guard fchmod(descriptor, mode) == 0 else { throw SystemError.current.during(failure) }
            try write(Array(bytes), to: descriptor, named: path)
            guard fsync(descriptor) == 0 else { throw SystemError.current.during(failure) }
        } catch {
            unlink(temporary)
            throw error
        }
        guard rename(temporary, path) == 0 else {
            let error = SystemError.current
            unlink(temporary)
            throw error.during(failure)
        }
        // ext4 may otherwise lose the name on power loss.
        try syncDirectory(parent(of: path))
    }

    /// Writes a file that is not there yet, as `replace` does.
    ///
    /// - Returns: false when there is one, which stays as it is.
    public static func create(_ path: String, with bytes: some Sequence<UInt8>, mode: UInt32 = 0o644)
        throws(VoltError) -> Bool
    {
        let temporary = "\(path).\(getpid()).\(UInt32.random(in: 0...UInt32.max)).tmp"
        try replace(temporary, with: bytes, mode: mode)
        defer { unlink(temporary) }
        if link(temporary, path) != 0 {
            guard errno == EEXIST else { throw SystemError.current.during("cannot write '\(path)'") }
            return false
        }
        try syncDirectory(parent(of: path))
        return true
    }

    /// Writes all bytes to a descriptor.
    ///
    /// - Parameter path: the name of the file for the error.
    public static func write(_ bytes: [UInt8], to descriptor: Int32, named path: String) throws(VoltError) {
        var offset = 0
        while offset < bytes.count {
            let count = bytes.withUnsafeBytes {
                Glibc.write(descriptor, $0.baseAddress?.advanced(by: offset), bytes.count - offset)
            }
            if count < 0 {
                if errno == EINTR { continue }
                throw SystemError.current.during("cannot write '\(path)'")
            }
            offset += count
        }
    }

    /// Makes the names in a directory durable.
    public static func syncDirectory(_ path: String) throws(VoltError) {
        let descriptor = volt_open(path, O_RDONLY | O_DIRECTORY, 0)
        guard descriptor >= 0 else { throw SystemError.current.during("cannot open '\(path)'") }
        defer { close(descriptor) }
        guard fsync(descriptor) == 0 else { throw SystemError.current.during("cannot sync '\(path)'") }
    }

    /// Makes a directory and its parents; one that exists is left as it is.
    ///
    /// - Parameter mode: the permissions of each directory made.
    public static func makeDirectory(_ path: String, mode: UInt32 = 0o755) throws(VoltError) {
        if mkdir(path, mode) == 0 || (errno == EEXIST && isDirectory(path)) { return }
        if errno == ENOENT, path.contains("/"), parent(of: path) != path {
            try makeDirectory(parent(of: path), mode: mode)
            if mkdir(path, mode) == 0 || errno == EEXIST { return }
        }
        throw SystemError.current.during("cannot make directory '\(path)'")
    }

    /// The names in a directory, sorted, without `.` and `..`; none when there is no such directory.
    public static func list(_ path: String) throws(VoltError) -> [String] {
        guard let directory = opendir(path) else {
            if errno == ENOENT { return [] }
            throw SystemError.current.during("cannot list '\(path)'")
        }
        defer { closedir(directory) }
        var names: [String] = []
        while let entry = readdir(directory) {
            let name = withUnsafePointer(to: &entry.pointee.d_name) {
                $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
            }
            if name != ".", name != ".." { names.append(name) }
        }
        return names.sorted()
    }

    /// Removes a file or a link; one that is not there is no error.
    public static func remove(_ path: String) throws(VoltError) {
        if unlink(path) != 0, errno != ENOENT { throw SystemError.current.during("cannot remove '\(path)'") }
    }

    /// Whether something is at this path; a link counts by what it points to.
    public static func exists(_ path: String) -> Bool { access(path, F_OK) == 0 }

    /// Whether a directory is at this path; links are followed.
    public static func isDirectory(_ path: String) -> Bool {
        var information = stat()
        return stat(path, &information) == 0 && information.st_mode & S_IFMT == S_IFDIR
    }

    /// The directory part of a path: `/a/b` gives `/a`, `b` gives `.`.
    public static func parent(of path: String) -> String {
        var trimmed = Substring(path)
        while trimmed.count > 1, trimmed.hasSuffix("/") { trimmed.removeLast() }
        guard let slash = trimmed.lastIndex(of: "/") else { return "." }
        return slash == trimmed.startIndex ? "/" : String(trimmed[..<slash])
    }

    /// The last component of a path.
    public static func lastComponent(of path: String) -> String {
        String(path.split(separator: "/").last ?? "")
    }

    /// The absolute form of a path, seen from a directory; `.` and `..` are resolved by their letters.
    public static func absolute(_ path: String, from directory: String) -> String {
        let whole = path.hasPrefix("/") ? path : "\(directory)/\(path)"
        var parts: [Substring] = []
        for part in whole.split(separator: "/") {
            switch part {
            case ".": continue
            case "..": _ = parts.popLast()
            default: parts.append(part)
            }
        }
        return "/" + parts.joined(separator: "/")
    }

    /// The working directory of the process.
    public static var currentDirectory: String {
        guard let text = getcwd(nil, 0) else { return "/" }
        defer { free(text) }
        return String(cString: text)
    }
}

extension Files {
    /// Gives a file or directory another name on its file system; what has that name is replaced.
    public static func move(_ path: String, to new: String) throws(VoltError) {
        guard Glibc.rename(path, new) == 0 else {
            throw SystemError.current.during("cannot rename '\(path)'")
        }
        try syncDirectory(parent(of: new))
    }
}
