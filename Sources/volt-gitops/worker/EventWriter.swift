import GitopsSource
import Glibc
import Synchronization
import VoltCore
import VoltSystem

/// Writes events to stdout, and reads the request from stdin.
final class EventWriter: Sendable {
    /// Between two progress events.
    private static let pause: Duration = .milliseconds(250)
    private let last = Mutex<ContinuousClock.Instant?>(nil)

    /// Writes a line at once. A reader that is gone ends the process: nobody wants the rest.
    func write(_ event: SourceEvent) {
        do { try StandardOutput.write(SourceStream.encode(event)) } catch {
            exit(ExitCode.failed.rawValue)
        }
    }

    /// Writes progress, at most four times a second.
    func progress(received: Int, total: Int, bytes: Int) {
        let now = ContinuousClock.now
        let isDue = last.withLock { last in
            if let time = last, now - time < Self.pause { return false }
            last = now
            return true
        }
        if isDue { write(.progress(received: received, total: total, bytes: bytes)) }
    }

    static func readRequest() throws(VoltError) -> [UInt8] {
        var bytes: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 4096)
        while true {
            let count = read(0, &buffer, buffer.count)
            if count < 0, errno == EINTR { continue }
            guard count >= 0 else { throw SystemError.current.during("cannot read the request") }
            if count == 0 { return bytes }
            bytes += buffer[..<count]
            guard bytes.count <= SourceStream.longestRequest else {
                throw VoltError(.usage, "the request is larger than \(SourceStream.longestRequest) bytes")
            }
        }
    }
}
