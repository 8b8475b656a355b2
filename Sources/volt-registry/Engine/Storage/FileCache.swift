internal import Glibc
internal import Synchronization
internal import VoltCore
internal import VoltSystem

/// Small files that are read over and over, such as those of tags. Other processes may replace them, so that each look asks
/// which file is there; only when it is the one that was read, it is not read again.
final class FileCache: Sendable {
    private struct Identity: Equatable {
        let device: UInt
        let inode: UInt
        let size: Int
        let seconds: Int
        let nanoseconds: Int
    }

    private let files = Mutex<[String: (identity: Identity, bytes: [UInt8])]>([:])

    private static let limit = 4096
    /// A file that is younger may be replaced by one that looks the same: times are as exact as the clock of the kernel.
    private static let youngest = 2

    /// The bytes of a file.
    ///
    /// - Parameter limit: of the bytes.
    func read(_ path: String, limit: Int) throws(VoltError) -> [UInt8] {
        let found = Self.identity(path)
        if let found, let known = files.withLock({ $0[path] }), known.identity == found { return known.bytes }
        let bytes = try Files.read(path, limit: limit)
        // What was read is what is there before and after.
        guard let found, found == Self.identity(path), found.seconds <= time(nil) - Self.youngest else {
            return bytes
        }
        files.withLock { files in
            if files.count >= Self.limit { files.removeAll() }
            files[path] = (found, bytes)
        }
        return bytes
    }

    private static func identity(_ path: String) -> Identity? {
        var information = stat()
        guard stat(path, &information) == 0 else { return nil }
        return Identity(
            device: UInt(information.st_dev), inode: UInt(information.st_ino), size: Int(information.st_size),
            seconds: information.st_mtim.tv_sec, nanoseconds: information.st_mtim.tv_nsec)
    }
}
