public import VoltCore
public import VoltWorkload

/// A question to a port process. Questions and answers are messages of a Unix socket.
///
/// The protocol has a version, so that a port process that one tool started serves another tool too, and one that an
/// earlier version started goes on. A request says which version it needs: a port process that does not speak it says
/// so. Version 1 is that of requests without a version.
public enum PortRequest: Sendable, Equatable {
    /// Listen on exactly these ports, and point them all to a network namespace, a file below /proc.
    case set(PortOwner, namespace: String)
    /// Whether the port process works.
    case status
    /// How many connections into this network namespace are in use, when new ones go elsewhere.
    case busy(namespace: String)
    /// Which version it speaks.
    case version
    /// Close the ports and end.
    case quit

    /// The version that this program speaks, the newest.
    public static let newest = 2

    /// The version that a request needs.
    private var needed: Int { self == .version ? 2 : 1 }

    /// The message.
    ///
    /// - Throws: `VoltError` when a value has a zero byte.
    public func encoded() throws(VoltError) -> [UInt8] {
        var settings = Settings()
        settings.add("version", String(needed))
        switch self {
        case .set(let owner, let namespace):
            owner.add(to: &settings)
            settings.add("netns", namespace)
        case .status: settings.add("verb", "status")
        case .busy(let namespace):
            settings.add("verb", "busy")
            settings.add("netns", namespace)
        case .version: settings.add("verb", "version")
        case .quit: settings.add("verb", "quit")
        }
        return try settings.encoded()
    }

    /// Parses a message.
    ///
    /// - Throws: `VoltError` with code `refused` for a version that this program does not speak.
    public init(decoding bytes: [UInt8]) throws(VoltError) {
        let settings = try Settings(decoding: bytes)
        let version: Int = settings.optional("version") == nil ? 1 : try settings.number("version")
        guard (1...Self.newest).contains(version) else {
            throw VoltError(
                .refused,
                "the port process speaks version \(Self.newest) of its protocol, and was asked in version \(version)"
            )
        }
        switch try settings.text("verb") {
        case "set": self = .set(try PortOwner(settings), namespace: try settings.text("netns"))
        case "status": self = .status
        case "busy": self = .busy(namespace: try settings.text("netns"))
        case "version": self = .version
        case "quit": self = .quit
        case let verb: throw VoltError(.usage, "'\(verb)' is not a command")
        }
    }
}

/// The ports of a workload, and what they lead to: also the file beside the socket of the port process.
public struct PortOwner: Sendable, Equatable {
    /// The ports.
    public var ports: [PublishedPort]
    /// The name of what they lead to, such as a container.
    public var instance: String
    /// The tool that it belongs to, such as `container`.
    public var tool: String

    /// - Parameters: see the properties.
    public init(ports: [PublishedPort], instance: String, tool: String) {
        self.ports = ports
        self.instance = instance
        self.tool = tool
    }

    /// Reads the keys `port`, `container` and `tool`. Versions before this wrote no `tool`: only containers had ports.
    public init(_ settings: Settings) throws(VoltError) {
        var ports: [PublishedPort] = []
        for text in settings.all("port") {
            let parts = text.split(separator: "|")
            guard parts.count == 3, let host = UInt16(parts[1]), let inner = UInt16(parts[2]) else {
                throw VoltError(.usage, "'\(text)' is not a port")
            }
            ports.append(PublishedPort(address: String(parts[0]), hostPort: host, containerPort: inner))
        }
        self.init(
            ports: ports, instance: settings.optional("container") ?? "",
            tool: settings.optional("tool") ?? "container")
    }

    /// Parses the file; nil when it is not one.
    init?(decoding bytes: [UInt8]) {
        guard let settings = try? Settings(decoding: bytes), let owner = try? PortOwner(settings),
            !owner.instance.isEmpty
        else { return nil }
        self = owner
    }

    /// Writes the keys that the other reads.
    public func add(to settings: inout Settings) {
        settings.add("verb", "set")
        settings.add("port", all: ports.map { "\($0.address)|\($0.hostPort)|\($0.containerPort)" })
        settings.add("container", instance)
        settings.add("tool", tool)
    }

    /// The bytes of the file.
    func encoded() throws(VoltError) -> [UInt8] {
        var settings = Settings()
        add(to: &settings)
        return try settings.encoded()
    }
}
