internal import Glibc

/// What a service tells the service manager that started it (`sd_notify(3)`), without libsystemd.
///
/// Every call does nothing when there is no manager to tell: `NOTIFY_SOCKET` is not set then.
public struct ServiceManager: Sendable {
    private let address: [UInt8]?
    /// How often the manager wants to hear `alive`: half of `WATCHDOG_USEC`, or nil when it does not watch.
    public let watchdogInterval: Duration?

    /// - Parameter environment: for `NOTIFY_SOCKET`, `WATCHDOG_USEC` and `WATCHDOG_PID`.
    public init(environment: [String: String]) {
        var bytes = Array((environment["NOTIFY_SOCKET"] ?? "").utf8)
        // An abstract socket is written with '@' in the place of its first byte, which is zero.
        if bytes.first == UInt8(ascii: "@") { bytes[0] = 0 }
        let isPath = bytes.first == UInt8(ascii: "/") || bytes.first == 0
        // sun_path of sockaddr_un holds 108 bytes, and a path needs the zero at its end.
        address = isPath && bytes.count > 1 && bytes.count < 108 ? bytes : nil
        let watched = environment["WATCHDOG_PID"].map { $0 == String(getpid()) } ?? true
        watchdogInterval =
            watched
            ? environment["WATCHDOG_USEC"].flatMap { Int64($0) }.flatMap {
                $0 > 0 ? .microseconds($0 / 2) : nil
            } : nil
    }

    /// The service does its work now; `status` is shown by `systemctl status`.
    public func ready(status: String) { send("READY=1\nSTATUS=\(oneLine(status))") }

    /// The service is about to end.
    public func stopping() { send("STOPPING=1") }

    /// The service is not stuck. To be called once each `watchdogInterval`.
    public func alive() { send("WATCHDOG=1") }

    private func oneLine(_ text: String) -> String { String(text.prefix { !$0.isNewline }) }

    private func send(_ message: String) {
        guard let address else { return }
        let descriptor = socket(
            AF_UNIX,
            Int32(SOCK_DGRAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue) | Int32(SOCK_NONBLOCK.rawValue), 0)
        guard descriptor >= 0 else { return }
        defer { close(descriptor) }
        var name = sockaddr_un()
        name.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &name.sun_path) { $0.copyBytes(from: address) }
        // The length decides how much of an abstract name counts.
        let length = socklen_t(MemoryLayout<sa_family_t>.size + address.count)
        let bytes = Array(message.utf8)
        _ = withUnsafePointer(to: &name) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { pointer in
                sendto(descriptor, bytes, bytes.count, Int32(MSG_NOSIGNAL), pointer, length)
            }
        }
    }
}
