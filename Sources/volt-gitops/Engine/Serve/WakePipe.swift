internal import CVoltSystem
internal import Glibc
internal import VoltCore
internal import VoltSystem

/// A named pipe by which a command tells the running server that the journal has something new. Nothing
/// depends on it: the server looks by itself every second.
enum WakePipe {
    /// Makes the pipe.
    ///
    /// - Returns: a descriptor for reading that never sees the end of the file.
    static func open(_ path: String) throws(VoltError) -> Int32 {
        try Files.remove(path)
        guard mkfifo(path, 0o600) == 0 else { throw SystemError.current.during("cannot make '\(path)'") }
        let descriptor = volt_open(path, O_RDWR | O_NONBLOCK, 0)
        guard descriptor >= 0 else { throw SystemError.current.during("cannot open '\(path)'") }
        return descriptor
    }

    /// Wakes the server, when one listens.
    static func notify(_ path: String) {
        let descriptor = volt_open(path, O_WRONLY | O_NONBLOCK, 0)
        guard descriptor >= 0 else { return }
        var byte: UInt8 = 1
        _ = write(descriptor, &byte, 1)
        close(descriptor)
    }
}
