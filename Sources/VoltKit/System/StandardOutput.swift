internal import CVoltSystem
internal import Glibc
public import VoltCore

/// The standard output of this program. Nothing else writes there: what cannot be written has to be told by the exit code.
public enum StandardOutput {
    /// Writes all bytes at once. A reader that is gone ends the process as SIGPIPE does.
    ///
    /// - Throws: `VoltError` with code `failed`.
    public static func write(_ bytes: UnsafeRawBufferPointer) throws(VoltError) {
        try check(volt_write_stdout(bytes.baseAddress, bytes.count))
    }

    /// Asks for the errors that some file systems tell only when a file is closed, as NFS does.
    public static func finish() throws(VoltError) {
        let copy = fcntl(1, F_DUPFD_CLOEXEC, 0)
        if copy >= 0, close(copy) != 0 { try check(errno) }
    }

    private static func check(_ number: Int32) throws(VoltError) {
        guard number != 0 else { return }
        let hint: String? =
            switch number {
            case ENOSPC, EDQUOT: "its disk is full: free some space; what the command changed stays changed"
            case EBADF: "it is closed: give the command one, such as >/dev/null"
            default: nil
            }
        throw VoltError(
            .failed, "cannot write to stdout: \(SystemError(number: number).reason)", hint: hint)
    }

    /// Writes all bytes at once.
    public static func write(_ bytes: [UInt8]) throws(VoltError) {
        let failure = bytes.withUnsafeBytes { buffer -> VoltError? in
            do throws(VoltError) { try write(buffer) } catch { return error }
            return nil
        }
        if let failure { throw failure }
    }
}
