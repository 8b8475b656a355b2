internal import CVoltSystem
internal import Glibc
public import VoltCore

/// A failed system call.
public struct SystemError: Error, Sendable, Equatable {
    /// The value of `errno`.
    public let number: Int32

    /// - Parameter number: a value of `errno`.
    public init(number: Int32) { self.number = number }

    /// The error of the system call that just failed on this thread.
    public static var current: SystemError { SystemError(number: errno) }

    /// The words of `strerror`, in lower case.
    public var reason: String {
        let text = String(cString: strerror(number))
        return text.prefix(1).lowercased() + text.dropFirst()
    }

    /// A `VoltError` that says what could not be done: `cannot open '/x': permission denied`.
    public func during(_ action: String) -> VoltError {
        let code: ExitCode =
            switch number {
            case ENOENT: .notFound
            case EACCES, EPERM: .refused
            case ENOSPC, EDQUOT, EIO, EMFILE, ENFILE: .inputOutput
            default: .failed
            }
        let hint: String? =
            switch number {
            case ENOSPC, EDQUOT: "the disk is full: free some space and run the command again"
            case EROFS: "the file system is mounted read-only"
            default: nil
            }
        return VoltError(code, "\(action): \(reason)", hint: hint)
    }
}
