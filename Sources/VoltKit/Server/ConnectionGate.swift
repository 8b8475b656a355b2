internal import Glibc
internal import NIOCore
internal import Synchronization

/// Counts what the connections of a server use, over all its threads.
final class ConnectionGate: Sendable {
    private struct State {
        var open: [ObjectIdentifier: (address: String, channel: any Channel)] = [:]
        var byAddress: [String: Int] = [:]
    }

    private let state = Mutex(State())
    private let bodyBytes = Atomic(0)
    private let draining = Atomic(false)
    private let limits: HTTPLimits

    init(limits: HTTPLimits) { self.limits = limits }

    /// Lets a connection in; false when there are too many.
    func enter(_ channel: any Channel) -> Bool {
        let address = channel.remoteAddress.map(Self.party) ?? "unknown"
        return state.withLock { state in
            // One that was accepted before the server stopped to listen is still answered.
            guard state.open.count < limits.connections,
                state.byAddress[address, default: 0] < limits.connectionsPerAddress
            else { return false }
            state.open[ObjectIdentifier(channel)] = (address, channel)
            state.byAddress[address, default: 0] += 1
            return true
        }
    }

    /// Whose connection it is: an address of IPv4, or the first 64 bits of one of IPv6, all of which one
    /// host has for itself (RFC 6177).
    static func party(_ address: SocketAddress) -> String {
        guard let text = address.ipAddress else { return "unknown" }
        var bytes = [UInt8](repeating: 0, count: 16)
        guard inet_pton(AF_INET6, text, &bytes) == 1 else { return text }
        // IPv4 on a socket of both: ::ffff:192.0.2.1 (RFC 4291, section 2.5.5.2).
        if bytes.starts(with: [UInt8](repeating: 0, count: 10) + [0xff, 0xff]) {
            return bytes[12...].map(String.init).joined(separator: ".")
        }
        return bytes[..<8].map { String($0, radix: 16) }.joined(separator: ":")
    }

    /// Forgets a connection that was let in.
    func leave(_ channel: any Channel) {
        state.withLock { state in
            guard let (address, _) = state.open.removeValue(forKey: ObjectIdentifier(channel)) else { return }
            let left = state.byAddress[address, default: 1] - 1
            state.byAddress[address] = left == 0 ? nil : left
        }
    }

    /// Takes memory for a part of a body; false when all bodies together are too large.
    func take(_ bytes: Int) -> Bool {
        guard bodyBytes.add(bytes, ordering: .relaxed).newValue > limits.bodies else { return true }
        give(bytes)
        return false
    }

    /// Gives memory back.
    func give(_ bytes: Int) { bodyBytes.subtract(bytes, ordering: .relaxed) }

    /// The connections that are open.
    var count: Int { state.withLock { $0.open.count } }

    var isDraining: Bool { draining.load(ordering: .acquiring) }

    /// Tells those that are open to end after the request they are at.
    func drain() {
        draining.store(true, ordering: .releasing)
        let channels = state.withLock { state in state.open.values.map(\.channel) }
        for channel in channels { channel.pipeline.fireUserInboundEventTriggered(DrainEvent()) }
    }
}

/// Told to every connection when the server stops.
struct DrainEvent: Sendable {}
