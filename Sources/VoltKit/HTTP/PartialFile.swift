internal import CVoltSystem
internal import Glibc
internal import VoltCore
internal import VoltSystem

/// A file that is being written beside its place and removed unless it is finished.
final class PartialFile {
    private let path: String
    private let temporary: String
    private let descriptor: Int32
    private var isFinished = false

    init(for path: String, mode: UInt32) throws(VoltError) {
        self.path = path
        temporary = "\(path).\(getpid()).\(UInt32.random(in: 0...UInt32.max)).part"
        descriptor = volt_open(temporary, O_WRONLY | O_CREAT | O_EXCL, mode)
        guard descriptor >= 0 else { throw SystemError.current.during("cannot write '\(path)'") }
    }

    deinit {
        close(descriptor)
        if !isFinished { unlink(temporary) }
    }

    func append(_ part: UnsafeRawBufferPointer) throws(VoltError) {
        var offset = 0
        while offset < part.count {
            let count = write(descriptor, part.baseAddress?.advanced(by: offset), part.count - offset)
            if count < 0 {
                if errno == EINTR { continue }
                throw SystemError.current.during("cannot write '\(path)'")
            }
            offset += count
        }
    }

    func finish() throws(VoltError) {
        guard fsync(descriptor) == 0 else { throw SystemError.current.during("cannot write '\(path)'") }
        try Files.move(temporary, to: path)
        isFinished = true
    }
}
