/// A port of a workload that is reachable on the host.
public struct PublishedPort: Codable, Sendable, Hashable {
    /// The address of the host to listen on: `0.0.0.0` (every address, IPv6 as well) or one address.
    public var address: String
    /// The port of the host.
    public var hostPort: UInt16
    /// The port of the workload.
    public var containerPort: UInt16
    /// `tcp`; `udp` is refused until it is built.
    public var transport: String

    /// - Parameters: see the properties.
    public init(
        address: String = "0.0.0.0", hostPort: UInt16, containerPort: UInt16, transport: String = "tcp"
    ) {
        self.address = address
        self.hostPort = hostPort
        self.containerPort = containerPort
        self.transport = transport
    }
}
