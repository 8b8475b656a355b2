internal import CVoltSystem
internal import Glibc
internal import VoltCore
internal import VoltSystem

/// An open file of the store, closed with its last user.
final class StoreFile: Sendable {
    let descriptor: Int32
    let path: String

    /// - Throws: `VoltError`; code `notFound` when there is no such file.
    init(reading path: String) throws(VoltError) {
        self.path = path
        descriptor = volt_open(path, O_RDONLY, 0)
        guard descriptor >= 0 else { throw SystemError.current.during("cannot open '\(path)'") }
    }

    /// Makes a new file.
    init(creating path: String, mode: UInt32 = 0o600) throws(VoltError) {
        self.path = path
        descriptor = volt_open(path, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW, mode)
        guard descriptor >= 0 else { throw SystemError.current.during("cannot write '\(path)'") }
    }

    deinit { close(descriptor) }

    var size: Int {
        var information = stat()
        return fstat(descriptor, &information) == 0 ? Int(information.st_size) : 0
    }

    /// Fills the buffer from an offset on.
    ///
    /// - Returns: fewer bytes than asked for at the end of the file.
    func read(at offset: Int, into buffer: UnsafeMutableRawBufferPointer) throws(VoltError) -> Int {
        var done = 0
        while done < buffer.count {
            let count = pread(
                descriptor, buffer.baseAddress?.advanced(by: done), buffer.count - done, off_t(offset + done))
            if count < 0 {
                if errno == EINTR { continue }
                throw SystemError.current.during("cannot read '\(path)'")
            }
            if count == 0 { break }
            done += count
        }
        return done
    }

    /// Writes all bytes at an offset.
    func write(_ bytes: UnsafeRawBufferPointer, at offset: Int) throws(VoltError) {
        var done = 0
        while done < bytes.count {
            let count = pwrite(
                descriptor, bytes.baseAddress?.advanced(by: done), bytes.count - done, off_t(offset + done))
            if count < 0 {
                if errno == EINTR { continue }
                throw SystemError.current.during("cannot write '\(path)'")
            }
            done += count
        }
    }

    /// Makes the bytes durable.
    func sync() throws(VoltError) {
        guard fsync(descriptor) == 0 else { throw SystemError.current.during("cannot sync '\(path)'") }
    }
}
