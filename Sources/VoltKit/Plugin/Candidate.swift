internal import Glibc

/// A file named `volt-<name>` in a directory of the search.
public struct Candidate: Sendable, Equatable {
    /// Why a file is passed over.
    public enum Problem: String, Sendable {
        /// It is a directory, a device or something else that cannot be a program.
        case notAFile = "not a regular file"
        /// No execute permission, or its file system is mounted with `noexec`.
        case notExecutable = "no execute permission"
    }

    /// The bytes of the absolute path.
    public let bytes: [UInt8]
    /// The step of the search that leads to it.
    public let origin: PluginSearch.Origin
    /// Why it is passed over, or nil.
    public let problem: Problem?
    /// Which file it is.
    let identity: FileIdentity

    /// The absolute path for people and JSON; bytes that are not UTF-8 are repaired.
    public var path: String { String(decoding: bytes, as: UTF8.self) }

    /// Whether it is another name of the file at a path.
    public func isSameFile(as path: [UInt8]) -> Bool { FileIdentity(of: path) == identity }

    /// Nil when there is no such file, or nobody may look.
    init?(_ name: String, in directory: PluginSearch.Directory) {
        bytes = directory.bytes + Array("/volt-".utf8) + Array(name.utf8)
        origin = directory.origin
        var information = stat()
        let path = bytes.map { CChar(bitPattern: $0) } + [0]
        guard stat(path, &information) == 0 else { return nil }
        identity = FileIdentity(information)
        if information.st_mode & S_IFMT != S_IFREG {
            problem = .notAFile
        } else if information.st_mode & 0o111 == 0 || faccessat(AT_FDCWD, path, X_OK, AT_EACCESS) != 0 {
            problem = .notExecutable
        } else {
            problem = nil
        }
    }
}

/// The device and inode of a file: two paths with the same identity are one file.
struct FileIdentity: Sendable, Hashable {
    private let device: dev_t
    private let inode: ino_t

    init(_ information: stat) {
        device = information.st_dev
        inode = information.st_ino
    }

    /// Links are followed; nil when there is nothing at the path.
    init?(of path: [UInt8]) {
        var information = stat()
        guard stat(path.map { CChar(bitPattern: $0) } + [0], &information) == 0 else { return nil }
        self.init(information)
    }
}
