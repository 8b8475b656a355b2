internal import CVoltSystem
internal import Glibc
internal import Synchronization
public import VoltCore
internal import VoltSystem

/// A line for each answer, in the combined format of HTTP servers with the milliseconds at the end:
///
///     127.0.0.1 - alice [2026-11-23T23:40:00.123Z] "GET /v2/team/web/manifests/1" 200 1024 0 "skopeo/1.9" 2
///
/// The numbers are the status, the bytes sent, the bytes received, and the milliseconds. The name is what the server knows
/// of the user, `-` for nobody.
public final class AccessLog: Sendable {
    private let path: String
    private let descriptor: Mutex<Int32>

    /// - Parameter path: the file, to which lines are added.
    public init(_ path: String) throws(VoltError) {
        self.path = path
        descriptor = Mutex(try Self.open(path))
    }

    deinit { descriptor.withLock { _ = close($0) } }

    private static func open(_ path: String) throws(VoltError) -> Int32 {
        let descriptor = volt_open(path, O_WRONLY | O_CREAT | O_APPEND, 0o640)
        guard descriptor >= 0 else {
            throw SystemError.current.during("cannot open the access log '\(path)'")
        }
        return descriptor
    }

    /// Opens the file again, after it was renamed.
    public func reopen() throws(VoltError) {
        let new = try Self.open(path)
        descriptor.withLock { old in
            close(old)
            old = new
        }
    }

    func write(
        _ request: HTTPRequest, _ user: String, status: Int, sent: UInt64, received: UInt64, time: Duration,
        at now: Timestamp
    ) {
        /// No more than anyone reads.
        func field(_ text: String) -> String { PrintableText.field(text, limit: 1024) }
        let target = request.query.isEmpty ? request.path : "\(request.path)?\(request.query)"
        let agent = request["user-agent"] ?? "-"
        let line =
            "\(request.address) - \(field(user)) [\(now)] \"\(field(request.method)) \(field(target))\" \(status) \(sent) "
            + "\(received) \"\(field(agent))\" \(time.components.seconds * 1000 + time.components.attoseconds / 1_000_000_000_000_000)\n"
        var bytes = Array(line.utf8)
        descriptor.withLock { _ = Glibc.write($0, &bytes, bytes.count) }
    }
}
