import Glibc
import Testing
import VoltSystem
import VoltTestKit

/// A datagram socket in the place of the service manager's.
private final class NotifySocket {
    private let descriptor: Int32

    /// - Parameter address: the bytes of the path, the first zero for an abstract name.
    init(_ address: [UInt8]) throws {
        descriptor = socket(AF_UNIX, Int32(SOCK_DGRAM.rawValue), 0)
        var name = sockaddr_un()
        name.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &name.sun_path) { $0.copyBytes(from: address) }
        let length = socklen_t(MemoryLayout<sa_family_t>.size + address.count)
        let result = withUnsafePointer(to: &name) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { bind(descriptor, $0, length) }
        }
        try #require(result == 0)
    }

    deinit { close(descriptor) }

    func next() -> String? {
        var bytes = [UInt8](repeating: 0, count: 1024)
        let count = recv(descriptor, &bytes, bytes.count, Int32(MSG_DONTWAIT))
        return count < 0 ? nil : String(decoding: bytes[..<count], as: UTF8.self)
    }
}

@Suite struct ServiceManagerTests {
    @Test("the manager hears READY, WATCHDOG and STOPPING through a socket at a path")
    func messages() throws {
        let scratch = try ScratchDirectory()
        let path = "\(scratch.path)/notify"
        let socket = try NotifySocket(Array(path.utf8))
        let manager = ServiceManager(environment: ["NOTIFY_SOCKET": path])
        manager.ready(status: "listening on port 9090\nX=1")
        #expect(socket.next() == "READY=1\nSTATUS=listening on port 9090")
        manager.alive()
        #expect(socket.next() == "WATCHDOG=1")
        manager.stopping()
        #expect(socket.next() == "STOPPING=1")
        #expect(socket.next() == nil)
    }

    @Test("an abstract socket is written with '@'")
    func abstract() throws {
        let name = "volt-test-\(getpid())-\(UInt32.random(in: 0...UInt32.max))"
        let socket = try NotifySocket([0] + Array(name.utf8))
        ServiceManager(environment: ["NOTIFY_SOCKET": "@\(name)"]).stopping()
        #expect(socket.next() == "STOPPING=1")
    }

    @Test("half of WATCHDOG_USEC is the interval, when it is meant for this process")
    func watchdog() {
        let other = ServiceManager(environment: ["WATCHDOG_USEC": "30000000", "WATCHDOG_PID": "1"])
        #expect(other.watchdogInterval == nil)
        let own = ServiceManager(environment: ["WATCHDOG_USEC": "30000000", "WATCHDOG_PID": "\(getpid())"])
        #expect(own.watchdogInterval == .seconds(15))
        #expect(ServiceManager(environment: ["WATCHDOG_USEC": "soon"]).watchdogInterval == nil)
    }

    @Test("without a manager, or with an address that is too long, nothing happens")
    func absent() {
        ServiceManager(environment: [:]).ready(status: "")
        ServiceManager(environment: ["NOTIFY_SOCKET": "/" + String(repeating: "a", count: 200)]).stopping()
        ServiceManager(environment: ["NOTIFY_SOCKET": "vsock:2:1"]).alive()
    }
}
