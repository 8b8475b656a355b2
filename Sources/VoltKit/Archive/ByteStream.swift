internal import Glibc
internal import VoltCore
internal import VoltSystem

/// Bytes that are read once, in order.
protocol ByteStream: AnyObject {
    /// The next bytes, valid until the next call; empty at the end.
    func next() throws(VoltError) -> UnsafeRawBufferPointer
}

/// The bytes of a descriptor.
final class DescriptorStream: ByteStream {
    private let descriptor: Int32
    private let name: String
    private let part: ArchivePart?
    private var left: UInt64
    private let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 1 << 17, alignment: 16)

    /// - Parameters:
    ///   - descriptor: stays open and belongs to the caller.
    ///   - part: what of it is read; nil is all.
    init(descriptor: Int32, name: String, part: ArchivePart? = nil) {
        self.descriptor = descriptor
        self.name = name
        self.part = part
        left = part?.count ?? .max
    }

    deinit { buffer.deallocate() }

    func next() throws(VoltError) -> UnsafeRawBufferPointer {
        while left > 0 {
            if let part { try wait(for: part) }
            let count = read(descriptor, buffer.baseAddress, Int(clamping: min(left, UInt64(buffer.count))))
            if count < 0, errno == EINTR { continue }
            guard count >= 0 else { throw SystemError.current.during("cannot read '\(name)'") }
            if let part {
                left -= UInt64(count)
                guard count > 0 else {
                    throw VoltError(
                        .failed, "'\(name)' ended \(left) bytes too early", hint: "run the command again")
                }
                part.progress(count)
            }
            return UnsafeRawBufferPointer(rebasing: buffer[..<count])
        }
        return UnsafeRawBufferPointer(start: nil, count: 0)
    }

    /// Until there are bytes, or nobody wants them any more.
    private func wait(for part: ArchivePart) throws(VoltError) {
        while true {
            if part.isStopped() { throw VoltError(.tryAgain, "'\(name)' is not wanted any more") }
            var watched = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
            let count = poll(&watched, 1, 200)
            if count > 0 { return }
            if count < 0, errno != EINTR { throw SystemError.current.during("cannot read '\(name)'") }
        }
    }
}
