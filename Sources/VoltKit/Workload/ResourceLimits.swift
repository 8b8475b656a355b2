/// The limits of a control group; nil is no limit.
public struct ResourceLimits: Codable, Sendable, Equatable {
    /// Bytes of memory.
    public var memory: UInt64?
    /// Processors, such as 0.5.
    public var cpus: Double?
    /// Processes and threads.
    public var pids: Int?

    /// - Parameters: see the properties.
    public init(memory: UInt64? = nil, cpus: Double? = nil, pids: Int? = nil) {
        self.memory = memory
        self.cpus = cpus
        self.pids = pids
    }
}
