import Glibc
import Testing
import VoltOCI
import VoltSystem
import VoltTestKit

@Suite(.timeLimit(.minutes(2))) struct StopTests {
    @Test("a server that keeps another registry's blobs stops in the middle of one without a word too many")
    func slowFetch() throws {
        let scratch = try ScratchDirectory()
        let bytes = [UInt8](repeating: 7, count: 1 << 20)
        let digest = OCIDigest.of(bytes)
        let (asked, stopping) = (Flag(), Flag())
        let head = Array(
            "HTTP/1.1 200 OK\r\nContent-Length: \(bytes.count)\r\nConnection: close\r\n\r\n".utf8)
        let origin = try ScriptedHTTPServer { request in
            if request.method == "HEAD" { return .raw(head) }
            asked.set()
            return .parts(
                head + bytes[..<70_000],
                {
                    while !stopping.isSet { usleep(1000) }
                    // By now the server has no connection left.
                    usleep(200_000)
                }, Array(bytes[..<10_000]))
        }
        let server = try ServerProcess(
            ToolRunner(scratch: scratch.path), store: "\(scratch.path)/store",
            ["--upstream", "kept=127.0.0.1:\(origin.port)", "--upstream-plain-http"])
        do {
            let client = try HTTPClient(port: server.port, timeoutSeconds: 20)
            try client.send(Array("GET /v2/kept/web/blobs/\(digest) HTTP/1.1\r\nHost: a\r\n\r\n".utf8))
            for _ in 0..<1000 where !asked.isSet { usleep(5000) }
            #expect(asked.isSet)
            // What came is sent on; then the client leaves.
            usleep(100_000)
        }
        usleep(50_000)
        stopping.set()
        let start = ContinuousClock.now
        let status = server.end(SIGTERM)
        #expect(status == 0, "\(status)")
        #expect(ContinuousClock.now - start < .seconds(5))
        #expect(server.said.contains("stopped") && !server.said.contains("EventLoop"), "\(server.said)")
    }
}
