internal import CVoltSystem
internal import Glibc
public import VoltCore

extension Files {
    /// Replaces a file at once for its readers, for what need not survive a power failure: a sync costs
    /// about a millisecond.
    public static func replaceUnsynced(_ path: String, with bytes: some Sequence<UInt8>, mode: UInt32 = 0o600)
        throws(VoltError)
    {
        let temporary = "\(path).\(getpid()).\(UInt32.random(in: 0...UInt32.max)).tmp"
        let descriptor = volt_open(temporary, O_WRONLY | O_CREAT | O_TRUNC, mode)
        guard descriptor >= 0 else { throw SystemError.current.during("cannot write '\(path)'") }
        do throws(VoltError) {
            defer { close(descriptor) }
            try write(Array(bytes), to: descriptor, named: path)
        } catch {
            unlink(temporary)
            throw error
        }
        guard rename(temporary, path) == 0 else {
            let error = SystemError.current
            unlink(temporary)
            throw error.during("cannot write '\(path)'")
        }
    }
}
