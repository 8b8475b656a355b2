public import VoltCore

/// How a container of an image is run unless it is told otherwise.
public struct ImageConfig: Codable, Sendable, Equatable {
    /// The program and its first arguments.
    public var entrypoint: [String] = []
    /// The arguments after the entrypoint, or the whole command when there is none.
    public var command: [String] = []
    /// Variables as `NAME=value`, in the order in which they were set.
    public var environment: [String] = []
    /// The working directory; empty is `/`.
    public var workingDirectory = ""
    /// `""` (root), `1000`, `1000:1000`, `nobody` or `nobody:nogroup`.
    public var user = ""
    /// Ports that the payload listens on, as `80/tcp`.
    public var exposedPorts: [String] = []
    /// Free text for people and tools.
    public var labels: [String: String] = [:]
    /// The signal that asks the payload to end, or nil for SIGTERM.
    public var stopSignal: String?

    /// A configuration that says nothing.
    public init() {}

    /// The variables by name; the last value of a name counts.
    public var environmentByName: [String: String] {
        var values: [String: String] = [:]
        for entry in environment {
            guard let equals = entry.firstIndex(of: "=") else { continue }
            values[String(entry[..<equals])] = String(entry[entry.index(after: equals)...])
        }
        return values
    }

    /// Sets a variable, in its old place when it was set before.
    public mutating func setEnvironment(_ name: String, _ value: String) {
        if let index = environment.firstIndex(where: { $0.hasPrefix("\(name)=") }) {
            environment[index] = "\(name)=\(value)"
        } else {
            environment.append("\(name)=\(value)")
        }
    }
}

/// An image of the local store.
public struct Image: Sendable, Equatable {
    /// The digest over its layers and configuration.
    public let digest: Digest
    /// The names it has, such as `busybox:latest`, sorted.
    public let names: [String]
    /// The layers, the topmost first: digests of trees in the content store, or absolute directories.
    public let lowers: [String]
    /// How a container of it is run.
    public let config: ImageConfig
    /// When it was put into the store.
    public let created: Timestamp
    /// The bytes of its files.
    public let size: UInt64
    /// The names of the layers, the lowest first.
    public let layers: [Digest]
}
