import ArgumentParser
import Glibc
import VoltCLI

struct FreePort: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Print a port of 127.0.0.1 that was free a moment ago.")

    func run() throws {
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        defer { close(descriptor) }
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = inet_addr("127.0.0.1")
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let bound = withUnsafeMutablePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(descriptor, $0, length) == 0 && getsockname(descriptor, $0, &length) == 0
            }
        }
        guard bound else { throw ExitStatus(1) }
        print(UInt16(bigEndian: address.sin_port))
    }
}
