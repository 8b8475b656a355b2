internal import CVoltSystem
internal import Glibc

/// Reads short files that may be anything: never a device or a pipe, never more than a limit.
enum SmallFile {
    struct Failure: Error {
        let reason: String
    }

    /// The bytes of a regular file; nil when there is none.
    ///
    /// - Parameter limit: refuse a longer file, in bytes.
    static func read(_ path: [UInt8], limit: Int) throws(Failure) -> [UInt8]? {
        guard let bytes = try head(path, limit: limit + 1) else { return nil }
        return try whole(bytes, limit: limit)
    }

    /// The bytes of an open file.
    static func bytes(of descriptor: Int32, limit: Int) throws(Failure) -> [UInt8] {
        try whole(try head(of: descriptor, limit: limit + 1), limit: limit)
    }

    private static func whole(_ bytes: [UInt8], limit: Int) throws(Failure) -> [UInt8] {
        guard bytes.count <= limit else { throw Failure(reason: "it is longer than \(limit) bytes") }
        return bytes
    }

    /// The first bytes of a regular file; nil when there is none.
    static func head(_ path: [UInt8], limit: Int) throws(Failure) -> [UInt8]? {
        // A pipe without a writer must not stop us.
        let descriptor = volt_open(path.map { CChar(bitPattern: $0) } + [0], O_RDONLY | O_NONBLOCK, 0)
        guard descriptor >= 0 else {
            if errno == ENOENT || errno == ENOTDIR { return nil }
            throw Failure(reason: systemReason(errno))
        }
        defer { close(descriptor) }
        return try head(of: descriptor, limit: limit)
    }

    private static func head(of descriptor: Int32, limit: Int) throws(Failure) -> [UInt8] {
        var information = stat()
        guard fstat(descriptor, &information) == 0, information.st_mode & S_IFMT == S_IFREG else {
            throw Failure(reason: "it is not a regular file")
        }
        var bytes = [UInt8](repeating: 0, count: limit)
        var filled = 0
        while filled < limit {
            let count = bytes.withUnsafeMutableBytes {
                Glibc.read(descriptor, $0.baseAddress?.advanced(by: filled), limit - filled)
            }
            if count < 0 {
                if errno == EINTR { continue }
                throw Failure(reason: systemReason(errno))
            }
            if count == 0 { break }
            filled += count
        }
        return Array(bytes[..<filled])
    }
}

/// The words of `strerror`, in lower case.
func systemReason(_ number: Int32) -> String {
    let text = String(cString: strerror(number))
    return text.prefix(1).lowercased() + text.dropFirst()
}
