internal import Glibc
internal import VoltSystem

/// A request that a test's own server has read whole.
public struct ServedRequest: Sendable {
    /// `GET`, `POST`, …
    public let method: String
    /// The path without the query.
    public let path: String
    /// The query without its question mark.
    public let query: String
    /// The header fields, with names in lower case.
    public let headers: [String: String]
    /// The bytes of the body.
    public let body: [UInt8]
    /// The body as text.
    public var text: String { String(decoding: body, as: UTF8.self) }

    init?(reading connection: Int32) {
        var reader = Reader(descriptor: connection)
        guard let first = reader.line() else { return nil }
        let words = first.split(separator: " ")
        guard words.count == 3 else { return nil }
        let target = words[1].split(separator: "?", maxSplits: 1, omittingEmptySubsequences: false)
        method = String(words[0])
        path = String(target[0])
        query = target.count > 1 ? String(target[1]) : ""
        var fields: [String: String] = [:]
        while let line = reader.line(), !line.isEmpty {
            let parts = line.split(separator: ":", maxSplits: 1)
            if parts.count == 2 { fields[parts[0].lowercased()] = String(parts[1].drop { $0 == " " }) }
        }
        headers = fields
        if fields["expect"]?.lowercased() == "100-continue" {
            try? Files.write(Array("HTTP/1.1 100 Continue\r\n\r\n".utf8), to: connection, named: "connection")
        }
        var bytes: [UInt8] = []
        if fields["transfer-encoding"]?.lowercased() == "chunked" {
            while let line = reader.line(), let size = Int(line.prefix { $0 != ";" }, radix: 16) {
                guard let part = reader.take(size) else { return nil }
                bytes += part
                _ = reader.line()
                if size == 0 { break }
            }
        } else if let length = fields["content-length"].flatMap(Int.init) {
            guard let part = reader.take(length) else { return nil }
            bytes = part
        }
        body = bytes
    }
}

private struct Reader {
    let descriptor: Int32
    var buffer: [UInt8] = []

    init(descriptor: Int32) { self.descriptor = descriptor }

    mutating func line() -> String? {
        while true {
            if let end = buffer.firstIndex(of: 10) {
                var line = buffer[..<end]
                if line.last == 13 { line.removeLast() }
                let text = String(decoding: line, as: UTF8.self)
                buffer.removeSubrange(...end)
                return text
            }
            // A client that tries TLS first waits ten seconds for an answer to it; none of HTTP begins so.
            guard buffer.first != 0x16, buffer.count < 1 << 16, fill() else { return nil }
        }
    }

    mutating func take(_ count: Int) -> [UInt8]? {
        guard count >= 0, count <= 1 << 30 else { return nil }
        while buffer.count < count { guard fill() else { return nil } }
        let bytes = Array(buffer[..<count])
        buffer.removeSubrange(..<count)
        return bytes
    }

    private mutating func fill() -> Bool {
        var part = [UInt8](repeating: 0, count: 1 << 16)
        let count = read(descriptor, &part, part.count)
        guard count > 0 else { return false }
        buffer += part[..<count]
        return true
    }
}
