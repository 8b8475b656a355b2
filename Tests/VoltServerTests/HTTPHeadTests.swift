import NIOCore
import Testing
import VoltTestKit

@testable import VoltServer

/// What is read of a request, without a connection.
@Suite struct HTTPHeadTests {
    private func head(_ text: String, fields: Int = 256) throws(HTTPRefusal) -> HTTPHead {
        let bytes = Array(text.utf8)
        let result = bytes.withUnsafeBytes { bytes in
            Result<HTTPHead, HTTPRefusal> { () throws(HTTPRefusal) in
                guard let end = try HTTPHead.end(in: bytes, scanned: 0) else { throw HTTPRefusal(status: 0) }
                return try HTTPHead(UnsafeRawBufferPointer(rebasing: bytes[..<end]), fields: fields)
            }
        }
        return try result.get()
    }

    /// The body that a reader takes out of bytes that come in pieces; nil for one that is malformed.
    private func body(_ kind: HTTPHead.Body, _ text: String, piece: Int) -> (text: String, isWhole: Bool)? {
        var reader = HTTPBodyReader(kind)
        var buffer = ByteBuffer()
        var taken = ""
        var rest = Array(text.utf8)[...]
        while true {
            switch reader.next(&buffer) {
            case .part(let part): taken += String(buffer: part)
            case .end: return (taken, true)
            case .malformed: return nil
            case .later:
                guard !rest.isEmpty else { return (taken, false) }
                buffer.writeBytes(rest.prefix(piece))
                rest = rest.dropFirst(piece)
            }
        }
    }

    @Test("the parts of a request line, and fields in any case")
    func parts() throws {
        let head = try head(
            "POST /a/b?c=d?e HTTP/1.1\r\nHost: x\r\nX-One:  1 \t\r\nx-two:\r\nX-ONE: 2\r\nContent-length: 12\r\n\r\n"
        )
        #expect(head.method == "POST" && head.path == "/a/b" && head.query == "c=d?e")
        #expect(!head.isOld && head.keepsAlive && !head.waits && head.body == .length(12))
        #expect(head.fields.first("x-one") == "1" && head.fields.values("X-One") == ["1", "2"])
        #expect(head.fields.first("X-Two")?.isEmpty == true && head.fields.first("x") == nil)
        #expect(head.fields.count("x-one") == 2 && head.fields.all.map(\.name).first == "Host")
    }

    @Test(
        "whether a connection is kept",
        arguments: [
            ("HTTP/1.1", "", true), ("HTTP/1.1", "Connection: close\r\n", false),
            ("HTTP/1.1", "Connection: upgrade, Close\r\n", false),
            ("HTTP/1.1", "Connection: closed\r\n", true), ("HTTP/1.0", "", false),
            ("HTTP/1.0", "Connection: Keep-Alive\r\n", true),
            ("HTTP/1.0", "Connection: keep-alive, close\r\n", false), ("HTTP/1.2", "", true),
        ])
    func keepsAlive(version: String, field: String, keeps: Bool) throws {
        #expect(try head("GET / \(version)\r\n\(field)\r\n").keepsAlive == keeps)
    }

    @Test(
        "what two readers could read as two requests is refused",
        arguments: [
            "GET / HTTP/1.1\nHost: a\r\n\r\n", "GET  / HTTP/1.1\r\n\r\n", "GET /  HTTP/1.1\r\n\r\n",
            "GET / HTTP/1.1 \r\n\r\n", "GET /\r\n\r\n", " GET / HTTP/1.1\r\n\r\n",
            "GET /a b HTTP/1.1\r\n\r\n",
            "GET /\u{7f} HTTP/1.1\r\n\r\n", "G(T / HTTP/1.1\r\n\r\n", "GET / http/1.1\r\n\r\n",
            "GET / HTTP/1.1\r\nA : b\r\n\r\n", "GET / HTTP/1.1\r\n A: b\r\n\r\n",
            "GET / HTTP/1.1\r\nA: b\r\n c\r\n\r\n", "GET / HTTP/1.1\r\n: b\r\n\r\n",
            "GET / HTTP/1.1\r\nA: b\rc\r\n\r\n", "GET / HTTP/1.1\r\nA: \u{0}\r\n\r\n",
            "GET / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\n",
            "GET / HTTP/1.1\r\nContent-Length: 1, 1\r\n\r\n", "GET / HTTP/1.1\r\nContent-Length: +1\r\n\r\n",
            "GET / HTTP/1.1\r\nContent-Length:\r\n\r\n",
            "GET / HTTP/1.1\r\nContent-Length: 99999999999999999999\r\n\r\n",
            "GET / HTTP/1.1\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
            "GET / HTTP/1.1\r\nTransfer-Encoding: chunked\r\nContent-Length: 1\r\n\r\n",
            "GET / HTTP/1.1\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n",
            "GET / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n",
        ])
    func smuggling(text: String) {
        #expect(throws: HTTPRefusal.malformed) { try head(text) }
    }

    @Test("other versions, other transfer codings and too many fields have a status of their own")
    func statuses() throws {
        #expect(throws: HTTPRefusal(status: 505)) { try head("GET / HTTP/2.0\r\n\r\n") }
        for coding in ["gzip, chunked", "identity", "chunked, chunked", "xchunked"] {
            #expect(throws: HTTPRefusal(status: 501)) {
                try head("POST / HTTP/1.1\r\nTransfer-Encoding: \(coding)\r\n\r\n")
            }
        }
        let many = (0..<4).map { "A\($0): b\r\n" }.joined()
        #expect(throws: HTTPRefusal(status: 431)) { try head("GET / HTTP/1.1\r\n\(many)\r\n", fields: 3) }
        #expect(try head("GET / HTTP/1.1\r\n\(many)\r\n", fields: 4).fields.all.count == 4)
    }

    @Test("the end of a head is found however its bytes come")
    func end() throws {
        let bytes = Array("GET / HTTP/1.1\r\nA: b\r\n\r\nrest".utf8)
        for cut in 0..<bytes.count {
            let found = try bytes[..<cut].withUnsafeBytes {
                try HTTPHead.end(in: $0, scanned: max(0, cut - 1))
            }
            if cut < 24 { #expect(found == nil) }
            if cut == 24 { #expect(found == 24) }
        }
        #expect(try bytes.withUnsafeBytes { try HTTPHead.end(in: $0, scanned: 0) } == 24)
    }

    @Test(
        "a body in chunks is the same in whatever pieces it comes",
        arguments: [1, 2, 3, 5, 100])
    func chunks(piece: Int) {
        let text = "4\r\nWiki\r\n00A;x=\"y\"\r\n0123456789\r\n1 ;z\r\n.\r\n0\r\nTrailer: one\r\n\r\n"
        let whole = body(.chunked, text, piece: piece)
        #expect(whole?.text == "Wiki0123456789." && whole?.isWhole == true)
        let cut = body(.chunked, String(text.dropLast(2)), piece: piece)
        #expect(cut?.text == "Wiki0123456789." && cut?.isWhole == false)
        #expect(body(.length(4), "Wikipedia", piece: piece)?.text == "Wiki")
    }

    @Test(
        "chunks that are not of the form are refused",
        arguments: [
            "4\nWiki\r\n0\r\n\r\n", "4\r\nWikix\r\n0\r\n\r\n", "4\r\nWiki\n0\r\n\r\n", "-1\r\n",
            "0x4\r\nWiki\r\n",
            " 4\r\nWiki\r\n", "4 \r\nWiki\r\n", "\r\n", ";a\r\n", "ffffffffffffffff\r\n", "0\r\nA\r\n\r\n",
            "0\r\nA: b\n\r\n", "4;a\rb\r\nWiki\r\n",
        ])
    func badChunks(text: String) {
        #expect(body(.chunked, text, piece: 1) == nil)
        #expect(body(.chunked, text, piece: 100) == nil)
    }

    @Test("the line of a chunk and all trailers have limits")
    func chunkLimits() {
        #expect(body(.chunked, "1;" + String(repeating: "a", count: 2000), piece: 100) == nil)
        let trailer = "A: \(String(repeating: "b", count: 1000))\r\n"
        #expect(body(.chunked, "0\r\n" + String(repeating: trailer, count: 20), piece: 100) == nil)
        #expect(body(.chunked, "0\r\n" + trailer + trailer + "\r\n", piece: 100)?.isWhole == true)
    }
}
