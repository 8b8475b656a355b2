import NIOCore
import Testing

@testable import VoltServer

@Suite struct ConnectionGateTests {
    @Test(
        "the addresses that one host has for itself count as one",
        arguments: [
            ("192.0.2.1", "192.0.2.1", true), ("192.0.2.1", "192.0.2.2", false),
            ("::ffff:192.0.2.1", "192.0.2.1", true), ("::ffff:192.0.2.1", "::ffff:192.0.2.2", false),
            ("2001:db8:1:2::1", "2001:db8:1:2:ffff::9", true), ("2001:db8:1:2::1", "2001:db8:1:3::1", false),
            ("::1", "::1", true),
        ])
    func parties(one: String, other: String, isSame: Bool) throws {
        let parties = try [one, other].map {
            ConnectionGate.party(try SocketAddress(ipAddress: $0, port: 1))
        }
        #expect((parties[0] == parties[1]) == isSame)
    }
}
