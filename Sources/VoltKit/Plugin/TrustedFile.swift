internal import CVoltSystem
internal import Glibc

/// Reads a file that says what may run with the caller's rights: neither it nor a directory on the way to it may be
/// written by anybody but root and the caller, and none of them is a link.
enum TrustedFile {
    /// The bytes of the file; nil when there is none.
    ///
    /// - Parameters:
    ///   - path: absolute.
    ///   - limit: refuse a longer file, in bytes.
    static func read(_ path: [UInt8], limit: Int) throws(MetadataFailure) -> [UInt8]? {
        var shown = "/"
        var descriptor = volt_open("/", O_RDONLY | O_DIRECTORY, 0)
        defer { if descriptor >= 0 { close(descriptor) } }
        try check(descriptor, shown)
        let components = path.split(separator: UInt8(ascii: "/"))
        for (index, component) in components.enumerated() {
            let isLast = index == components.count - 1
            shown += (shown == "/" ? "" : "/") + String(decoding: component, as: UTF8.self)
            // A pipe without a writer must not stop us.
            let flags = O_RDONLY | O_NOFOLLOW | (isLast ? O_NONBLOCK : O_DIRECTORY)
            let next = volt_openat(descriptor, component.map { CChar(bitPattern: $0) } + [0], flags, 0)
            if next < 0 {
                switch errno {
                case ENOENT: return nil
                case ELOOP, ENOTDIR: throw MetadataFailure("'\(shown)' is a link, or no directory")
                default: throw MetadataFailure("cannot open '\(shown)': \(systemReason(errno))")
                }
            }
            close(descriptor)
            descriptor = next
            try check(descriptor, shown, isDirectory: !isLast)
        }
        do throws(SmallFile.Failure) { return try SmallFile.bytes(of: descriptor, limit: limit) } catch {
            throw MetadataFailure(error.reason)
        }
    }

    private static func check(_ descriptor: Int32, _ shown: String, isDirectory: Bool = true)
        throws(MetadataFailure)
    {
        var information = stat()
        guard fstat(descriptor, &information) == 0 else {
            throw MetadataFailure("cannot look at '\(shown)': \(systemReason(errno))")
        }
        guard information.st_mode & S_IFMT == (isDirectory ? S_IFDIR : S_IFREG) else {
            throw MetadataFailure("'\(shown)' is not a \(isDirectory ? "directory" : "regular file")")
        }
        guard information.st_uid == 0 || information.st_uid == geteuid() else {
            throw MetadataFailure("'\(shown)' belongs to user \(information.st_uid)")
        }
        // In a sticky directory nobody can replace what belongs to somebody else.
        if isDirectory, information.st_mode & S_ISVTX != 0 { return }
        guard information.st_mode & 0o002 == 0 else {
            throw MetadataFailure("everybody may write '\(shown)'")
        }
        guard information.st_mode & 0o020 == 0 || information.st_gid == 0 || information.st_gid == getegid()
        else { throw MetadataFailure("group \(information.st_gid) may write '\(shown)'") }
    }
}
