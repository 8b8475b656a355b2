internal import Glibc
internal import VoltSystem

/// Ports of 127.0.0.1, for the demo and for tests.
public enum LoopbackPort {
    /// A port that nothing used a moment ago, below those that the kernel gives to connections on the way
    /// out: one of those could take it before its user does.
    public static func free() -> UInt16 {
        while true {
            let port = UInt16.random(in: 20_000..<32_000)
            guard let socket = try? bound(to: port) else { continue }
            close(socket)
            return port
        }
    }

    /// Listens at a port that the kernel chooses.
    ///
    /// - Returns: a descriptor that children do not inherit, and the port.
    public static func listen() throws -> (descriptor: Int32, port: UInt16) {
        let descriptor = try bound(to: 0)
        var address = sockaddr_in()
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let isListening = withUnsafeMutablePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                Glibc.listen(descriptor, 64) == 0 && getsockname(descriptor, $0, &length) == 0
            }
        }
        guard isListening else {
            let error = SystemError.current
            close(descriptor)
            throw error.during("cannot listen on 127.0.0.1")
        }
        return (descriptor, UInt16(bigEndian: address.sin_port))
    }

    private static func bound(to port: UInt16) throws -> Int32 {
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = port.bigEndian
        address.sin_addr.s_addr = inet_addr("127.0.0.1")
        let result = withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        guard result == 0 else {
            let error = SystemError.current
            close(descriptor)
            throw error.during("cannot bind port \(port) of 127.0.0.1")
        }
        return descriptor
    }
}
