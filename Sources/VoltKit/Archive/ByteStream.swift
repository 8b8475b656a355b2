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
    private let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 1 << 17, alignment: 16)

    /// - Parameter descriptor: stays open and belongs to the caller.
    init(descriptor: Int32, name: String) {
        self.descriptor = descriptor
        self.name = name
    }

    deinit { buffer.deallocate() }

    func next() throws(VoltError) -> UnsafeRawBufferPointer {
        while true {
            let count = read(descriptor, buffer.baseAddress, buffer.count)
            if count >= 0 { return UnsafeRawBufferPointer(rebasing: buffer[..<count]) }
            if errno != EINTR { throw SystemError.current.during("cannot read '\(name)'") }
        }
    }
}
