internal import NIOCore

/// Takes the body of one request out of what comes (RFC 9112, sections 6 and 7).
struct HTTPBodyReader {
    /// What comes next.
    enum Piece {
        /// Nothing, before more bytes have come.
        case later
        case part(ByteBuffer)
        case end
        case malformed
    }

    private enum State {
        /// So many bytes, and nothing behind them.
        case plain(Int)
        /// The line with the size of a chunk.
        case size
        /// So many bytes of a chunk.
        case chunk(Int)
        /// The end of line behind a chunk.
        case chunkEnd
        /// The fields behind the last chunk; so many bytes of them were read.
        case trailer(Int)
        case ended
    }

    private var state: State

    /// Bytes of the line with the size of a chunk, and of all trailers.
    private static let sizeLimit = 1024
    private static let trailerLimit = 16 << 10

    init(_ body: HTTPHead.Body) {
        state =
            switch body {
            case .none: .ended
            case .length(let count): .plain(count)
            case .chunked: .size
            }
    }

    /// Takes the next piece out of a buffer.
    mutating func next(_ buffer: inout ByteBuffer) -> Piece {
        while true {
            switch state {
            case .ended: return .end
            case .plain(let left):
                guard let part = Self.take(left, of: &buffer) else { return .later }
                state = left == part.readableBytes ? .ended : .plain(left - part.readableBytes)
                return .part(part)
            case .chunk(let left):
                guard let part = Self.take(left, of: &buffer) else { return .later }
                state = left == part.readableBytes ? .chunkEnd : .chunk(left - part.readableBytes)
                return .part(part)
            case .chunkEnd:
                guard buffer.readableBytes >= 2 else { return .later }
                guard buffer.readInteger(as: UInt16.self) == 0x0d0a else { return .malformed }
                state = .size
            case .size:
                switch Self.line(&buffer, limit: Self.sizeLimit) {
                case .later: return .later
                case .malformed: return .malformed
                case .line(let line):
                    guard let size = Self.size(line) else { return .malformed }
                    state = size == 0 ? .trailer(0) : .chunk(size)
                }
            case .trailer(let count):
                switch Self.line(&buffer, limit: Self.trailerLimit - count) {
                case .later: return .later
                case .malformed: return .malformed
                case .line(let line):
                    guard line.readableBytes > 2 else {
                        state = .ended
                        continue
                    }
                    // Nobody asks for trailers, but what is none is not HTTP.
                    let isField = line.withUnsafeReadableBytes { bytes in
                        var index = 0
                        return (try? HTTPHead.field(bytes, &index)) != nil
                    }
                    guard isField else { return .malformed }
                    state = .trailer(count + line.readableBytes)
                }
            }
        }
    }

    private static func take(_ count: Int, of buffer: inout ByteBuffer) -> ByteBuffer? {
        guard buffer.readableBytes > 0 else { return nil }
        return buffer.readSlice(length: min(count, buffer.readableBytes))
    }

    private enum Line {
        case later
        /// With its end.
        case line(ByteBuffer)
        case malformed
    }

    private static func line(_ buffer: inout ByteBuffer, limit: Int) -> Line {
        let end = buffer.withUnsafeReadableBytes { ASCII.find(ASCII.lineFeed, in: $0, from: 0) }
        guard let end else { return buffer.readableBytes < limit ? .later : .malformed }
        guard end >= 1, end < limit, let line = buffer.readSlice(length: end + 1) else { return .malformed }
        let isWhole = line.withUnsafeReadableBytes { bytes in
            bytes[end - 1] == ASCII.carriageReturn && bytes[..<(end - 1)].allSatisfy(ASCII.isValue)
        }
        return isWhole ? .line(line) : .malformed
    }

    /// The size of a chunk; what follows a semicolon is nobody's here.
    private static func size(_ line: ByteBuffer) -> Int? {
        line.withUnsafeReadableBytes { bytes in
            var (size, index) = (0, 0)
            while let digit = digit(bytes[index]) {
                guard index < 15 else { return nil }
                size = size << 4 | digit
                index += 1
            }
            guard index > 0 else { return nil }
            if bytes[index] == ASCII.carriageReturn { return size }
            while bytes[index] == ASCII.space || bytes[index] == ASCII.tab { index += 1 }
            return bytes[index] == UInt8(ascii: ";") ? size : nil
        }
    }

    private static func digit(_ byte: UInt8) -> Int? {
        switch byte {
        case 48...57: Int(byte) - 48
        case 65...70: Int(byte) - 55
        case 97...102: Int(byte) - 87
        default: nil
        }
    }
}
