internal import Glibc
internal import VoltCore
internal import VoltSystem

/// The other end of a stream of frames.
final class Peer {
    private let input: Int32
    private let output: Int32
    private let name: String
    private var sending = ByteWriter(capacity: 1 << 18)
    private var buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 1 << 18, alignment: 16)
    private var start = 0
    private var end = 0
    /// Bytes that came and went.
    private(set) var received: UInt64 = 0
    private(set) var sent: UInt64 = 0

    /// - Parameters:
    ///   - input: closed at the end, as is the output.
    ///   - name: for errors.
    init(input: Int32, output: Int32, name: String) {
        self.input = input
        self.output = output
        self.name = name
    }

    deinit {
        buffer.deallocate()
        close(input)
        if output != input { close(output) }
    }

    /// Says which version is spoken, and hears it.
    func greet() throws {
        try (Wire.magic + [Wire.version]).withUnsafeBytes { try send(.hello, $0) }
        try flush()
        guard let (kind, bytes) = try receiveOrEnd() else {
            throw VoltError(
                .failed, "'\(name)' ended before it said anything",
                hint: "try the way there by hand, such as 'ssh HOST volt-cas --version'")
        }
        guard kind == .hello, bytes.count == Wire.magic.count + 1, bytes.starts(with: Wire.magic) else {
            throw VoltError(
                .failed, "'\(name)' is no store of volt-cas",
                hint: "look whether the other host prints something at login, and has volt-cas")
        }
        guard bytes[Wire.magic.count] == Wire.version else {
            throw VoltError(
                .failed, "'\(name)' speaks version \(bytes[Wire.magic.count]), and this tool \(Wire.version)",
                hint: "use the same version of volt-cas on both sides")
        }
    }

    // MARK: Sending

    func send(_ kind: Wire.Kind, _ parts: UnsafeRawBufferPointer...) throws {
        sending.fixed(UInt32(1 + parts.reduce(0) { $0 + $1.count }))
        sending.byte(kind.rawValue)
        for part in parts {
            if part.count >= 1 << 17 {
                try flush()
                try write(part)
            } else {
                sending.raw(part)
            }
        }
        if sending.count >= 1 << 17 { try flush() }
    }

    func send(_ kind: Wire.Kind, _ bytes: [UInt8]) throws {
        try bytes.withUnsafeBytes { try send(kind, $0) }
    }

    func send(_ kind: Wire.Kind, _ digests: some Sequence<BinaryDigest>) throws {
        var writer = ByteWriter()
        for digest in digests { writer.digest(digest) }
        try send(kind, writer.bytes)
    }

    func flush() throws {
        guard sending.count > 0 else { return }
        try sending.bytes.withUnsafeBytes { try write($0) }
        sending.removeAll()
    }

    private func write(_ bytes: UnsafeRawBufferPointer) throws {
        var done = 0
        while done < bytes.count {
            let count = Glibc.write(output, bytes.baseAddress?.advanced(by: done), bytes.count - done)
            if count < 0, errno == EINTR { continue }
            guard count > 0 else {
                let error = SystemError.current
                // It may have said why before it left.
                if error.number == EPIPE || error.number == ECONNRESET {
                    while let (kind, bytes) = try? receive() { if kind == .error { throw Wire.error(bytes) } }
                }
                throw error.during("cannot send to '\(name)'")
            }
            done += count
            sent += UInt64(count)
        }
    }

    // MARK: Receiving

    /// The next frame, whose bytes are valid until the next call.
    ///
    /// - Throws: `VoltError`, also for a frame that is too long or of no known kind.
    func receive() throws -> (Wire.Kind, UnsafeRawBufferPointer) {
        guard let frame = try receiveOrEnd() else {
            throw VoltError(
                .tryAgain, "'\(name)' ended in the middle", hint: "run the command again: what came stays")
        }
        return frame
    }

    /// The same, and nil when the other side has ended between two frames.
    func receiveOrEnd() throws -> (Wire.Kind, UnsafeRawBufferPointer)? {
        guard try fill(4) else { return nil }
        let count = Int(UInt32(littleEndian: buffer.loadUnaligned(fromByteOffset: start, as: UInt32.self)))
        guard count >= 1, count <= Wire.longest else { throw strange("a frame of \(count) bytes") }
        start += 4
        guard try fill(count) else { return nil }
        guard let kind = Wire.Kind(rawValue: buffer[start]) else {
            throw strange("a frame of kind \(buffer[start])")
        }
        let bytes = UnsafeRawBufferPointer(rebasing: buffer[start + 1..<start + count])
        start += count
        return (kind, bytes)
    }

    /// The next frame, which has to be of a kind.
    func expect(_ kind: Wire.Kind) throws -> UnsafeRawBufferPointer {
        let (found, bytes) = try receive()
        if found == .error { throw Wire.error(bytes) }
        guard found == kind else { throw strange("'\(found)' in the place of '\(kind)'") }
        return bytes
    }

    func strange(_ what: String) -> VoltError {
        VoltError(.refused, "'\(name)' sent \(what)", hint: "look whether it is a store of volt-cas")
    }

    /// Has so many bytes in the buffer; false at the end of the stream before the first of them.
    private func fill(_ count: Int) throws -> Bool {
        if end - start >= count { return true }
        if buffer.count < count {
            let larger = UnsafeMutableRawBufferPointer.allocate(byteCount: count, alignment: 16)
            larger.copyMemory(from: UnsafeRawBufferPointer(rebasing: buffer[start..<end]))
            buffer.deallocate()
            buffer = larger
        } else if start > 0, let base = buffer.baseAddress {
            memmove(base, base + start, end - start)
        }
        end -= start
        start = 0
        while end < count {
            let got = read(input, buffer.baseAddress?.advanced(by: end), buffer.count - end)
            if got < 0, errno == EINTR { continue }
            guard got >= 0 || errno == ECONNRESET else {
                throw SystemError.current.during("cannot read from '\(name)'")
            }
            if got <= 0 {
                if end == 0 { return false }
                throw VoltError(
                    .tryAgain, "'\(name)' ended in the middle", hint: "run the command again: what came stays"
                )
            }
            end += got
            received += UInt64(got)
        }
        return true
    }
}
