internal import NIOCore

// What is written.
extension HTTPConnection {
    /// Writes the head of an answer, and its body in the same buffer where that is a short one.
    func writeHead(_ response: HTTPResponse, length: UInt64, body: [UInt8] = [], closes: Bool) {
        guard let context else { return }
        let isShort = body.count <= 32 << 10
        var buffer = context.channel.allocator.buffer(capacity: 512 + (isShort ? body.count : 0))
        buffer.writeStaticString("HTTP/1.1 ")
        buffer.writeString(String(response.status))
        buffer.writeInteger(ASCII.space)
        buffer.writeString(HTTPStatus.reason(response.status))
        buffer.writeStaticString("\r\n")
        for (name, value) in response.headers { Self.write(name, value, &buffer) }
        // RFC 9110, section 8.6.
        if response.status != 204, response.status != 304 {
            Self.write("Content-Length", String(length), &buffer)
        }
        if closes {
            buffer.writeStaticString("Connection: close\r\n")
        } else if isOld {
            buffer.writeStaticString("Connection: keep-alive\r\n")
        }
        buffer.writeStaticString("\r\n")
        if isShort { buffer.writeBytes(body) }
        context.write(wrapOutboundOut(.byteBuffer(buffer)), promise: nil)
        if !isShort { context.write(wrapOutboundOut(.byteBuffer(ByteBuffer(bytes: body))), promise: nil) }
    }

    /// No name and no value ends a line of an answer, wherever it is from.
    private static func write(_ name: String, _ value: String, _ buffer: inout ByteBuffer) {
        guard name.utf8.allSatisfy(ASCII.isToken) else { return }
        buffer.writeString(name)
        buffer.writeStaticString(": ")
        if value.utf8.allSatisfy(ASCII.isValue) {
            buffer.writeString(value)
        } else {
            buffer.writeBytes(value.utf8.map { ASCII.isValue($0) ? $0 : ASCII.space })
        }
        buffer.writeStaticString("\r\n")
    }

    /// A file that is being sent.
    private final class Sending {
        /// Pieces that wait for the client at a time.
        static let window = 4

        let file: HTTPFile
        let closes: Bool
        /// What was handed to the channel, and what of it the kernel took.
        var begun: UInt64 = 0
        var sent: UInt64 = 0

        init(_ file: HTTPFile, closes: Bool) {
            self.file = file
            self.closes = closes
        }
    }

    /// Sends a file piece by piece, so that a client that does not read is noticed, and one that reads slowly is not
    /// taken for it.
    func send(_ file: HTTPFile, closes: Bool) {
        let sending = Sending(file, closes: closes)
        // Encrypted pieces are in memory.
        for _ in 0..<(isEncrypted ? 1 : Sending.window) { sendPiece(sending) }
        context?.flush()
    }

    private func sendPiece(_ sending: Sending) {
        let file = sending.file
        guard let context, sending.begun < file.count else { return }
        var count = Int(min(file.count - sending.begun, isEncrypted ? 128 << 10 : 1 << 20))
        let start = Int(file.offset + sending.begun)
        if let growth = file.growth {
            let loop = context.eventLoop
            let bound = NIOLoopBound((self, sending), eventLoop: loop)
            let reach = growth.reach(beyond: UInt64(start)) {
                loop.execute {
                    let (connection, sending) = bound.value
                    connection.sendPiece(sending)
                    connection.context?.flush()
                }
            }
            switch reach {
            case .end(let end): count = min(count, Int(end) - start)
            case .later: return timer.expire(after: limits.stallSeconds)
            case .never: return context.close(promise: nil)
            }
        }
        let part: IOData
        if isEncrypted {
            var buffer = context.channel.allocator.buffer(capacity: count)
            let read = buffer.writeWithUnsafeMutableBytes(minimumWritableBytes: count) { bytes in
                file.read(start, UnsafeMutableRawBufferPointer(rebasing: bytes[..<count]))
            }
            guard read == count else { return context.close(promise: nil) }
            part = .byteBuffer(buffer)
        } else {
            part = .fileRegion(
                FileRegion(fileHandle: file.handle, readerIndex: start, endIndex: start + count))
        }
        let taken = UInt64(count)
        sending.begun += taken
        timer.expire(after: limits.stallSeconds)
        let done = context.eventLoop.makePromise(of: Void.self)
        let bound = NIOLoopBound((self, sending), eventLoop: context.eventLoop)
        done.futureResult.whenComplete { result in
            let (connection, sending) = bound.value
            guard case .success = result else { return }
            sending.sent += taken
            sending.file.meter?.add(taken)
            if sending.sent == sending.file.count { return connection.finish(closes: sending.closes) }
            connection.sendPiece(sending)
            connection.context?.flush()
        }
        context.write(wrapOutboundOut(part), promise: done)
    }

    /// Ends an answer whose file was sent.
    private func finish(closes: Bool) { if closes { close() } else { becomeIdle() } }
}

extension HTTPResponse {
    /// The answer to a request that is not taken.
    init(_ refusal: HTTPRefusal) {
        self.init(refusal.status, "\(refusal.status) \(HTTPStatus.reason(refusal.status))\n")
    }
}

/// The words beside the numbers (RFC 9110, section 15, and RFC 6585).
enum HTTPStatus {
    static func reason(_ status: Int) -> String {
        switch status {
        case 200: "OK"
        case 201: "Created"
        case 202: "Accepted"
        case 204: "No Content"
        case 206: "Partial Content"
        case 301: "Moved Permanently"
        case 302: "Found"
        case 303: "See Other"
        case 304: "Not Modified"
        case 307: "Temporary Redirect"
        case 308: "Permanent Redirect"
        case 400: "Bad Request"
        case 401: "Unauthorized"
        case 403: "Forbidden"
        case 404: "Not Found"
        case 405: "Method Not Allowed"
        case 406: "Not Acceptable"
        case 408: "Request Timeout"
        case 409: "Conflict"
        case 410: "Gone"
        case 411: "Length Required"
        case 412: "Precondition Failed"
        case 413: "Content Too Large"
        case 414: "URI Too Long"
        case 415: "Unsupported Media Type"
        case 416: "Range Not Satisfiable"
        case 417: "Expectation Failed"
        case 422: "Unprocessable Content"
        case 429: "Too Many Requests"
        case 431: "Request Header Fields Too Large"
        case 500: "Internal Server Error"
        case 501: "Not Implemented"
        case 502: "Bad Gateway"
        case 503: "Service Unavailable"
        case 504: "Gateway Timeout"
        case 505: "HTTP Version Not Supported"
        case 507: "Insufficient Storage"
        default: "Unknown"
        }
    }
}
