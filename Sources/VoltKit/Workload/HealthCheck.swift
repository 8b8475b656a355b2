/// How to tell that a payload works.
public struct HealthCheck: Codable, Sendable, Equatable {
    /// The try.
    public enum Probe: Codable, Sendable, Equatable {
        /// GET of a path answers 200 to 399.
        case http(port: UInt16, path: String)
        /// The port accepts.
        case tcp(port: UInt16)
        /// The command, run where the payload runs, ends with 0.
        case exec([String])
    }

    /// The try.
    public var probe: Probe
    /// Milliseconds between two tries.
    public var intervalMilliseconds: Int64 = 5_000
    /// Milliseconds a try may take.
    public var timeoutMilliseconds: Int64 = 2_000
    /// Failed tries in a row that make the payload unhealthy.
    public var retries = 3
    /// Milliseconds after the start in which failed tries do not count.
    public var startPeriodMilliseconds: Int64 = 10_000

    /// - Parameter probe: what is tried.
    public init(probe: Probe) { self.probe = probe }
}
