import Glibc
import Synchronization
import Testing
import VoltServer
import VoltTestKit

@Suite(.timeLimit(.minutes(1))) struct StreamedBodyTests {
    /// Takes a body and says how long it is.
    private final class Taken: HTTPExchange {
        private let cancelled: Cancelled
        private var count = 0

        init(_ cancelled: Cancelled) { self.cancelled = cancelled }

        func receive(_ part: UnsafeRawBufferPointer) -> HTTPResponse? {
            count += part.count
            return nil
        }

        func finish(_ reply: @escaping @Sendable (HTTPResponse) -> Void) {
            reply(HTTPResponse(200, "\(count)\n"))
        }

        func cancel() { cancelled.count.withLock { $0 += 1 } }
    }

    private final class Cancelled: Sendable {
        let count = Mutex(0)
    }

    @Test("a body that drips is given up, and one that comes as fast as it should is taken")
    func drip() throws {
        var limits = HTTPLimits()
        limits.stallSeconds = 1
        limits.slowestBody = 100
        let cancelled = Cancelled()
        let server = try HTTPServer(
            address: "127.0.0.1", port: 0,
            routes: [HTTPRoute(streamed: "/taken") { _ in .exchange(Taken(cancelled)) }],
            limits: limits, threads: 1)
        defer { server.stop() }
        let port = UInt16(server.port)
        let (slow, fast) = (try HTTPClient(port: port), try HTTPClient(port: port))
        let head = "PUT /taken HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\n"
        for client in [slow, fast] { try client.send(Array(head.utf8)) }
        for _ in 0..<6 {
            try slow.send([1])
            try fast.send([UInt8](repeating: 1, count: 166))
            usleep(220_000)
        }
        try fast.send([1, 1, 1, 1])
        #expect(try fast.receive().text == "1000\n")
        #expect(try slow.receive().status == 408)
        #expect(cancelled.count.withLock { $0 } == 1)
    }
}
