public import ArgumentParser
public import VoltCore
public import VoltSystem
public import VoltSystemd

/// A type that stands for the service of a tool.
public protocol ServiceDescribing {
    /// The service.
    static var service: ServiceDescription { get }
}

/// The options of `serve` about where a server listens, the same in every tool.
public struct ServeOptions<Described: ServiceDescribing>: ParsableArguments {
    /// The port, as it was given.
    @Option(
        help: ArgumentHelp(
            "The port; 0 for a free one. Not given: \(Described.service.portVariable), or \(Described.service.defaultPort)."
        ))
    public var port: Int?
    /// The address, as it was given.
    @Option(help: ArgumentHelp(stringLiteral: Self.listenHelp)) public var listen: String?
    /// The file with the certificate, as it was given.
    @Option(help: "A PEM file with the certificate and those between it and the root: HTTPS.")
    public var tlsCert: String?
    /// The file with the key, as it was given.
    @Option(help: "A PEM file with the key of the certificate, closed to other users.")
    public var tlsKey: String?

    /// For ArgumentParser.
    public init() {}

    private static var listenHelp: String {
        guard let address = Described.service.defaultAddress else {
            return "The address of this host to listen on; every address when not given."
        }
        return "The address of this host to listen on; '*' for every one. Not given: \(address)."
    }

    /// Refuses half a certificate and what is not a port.
    public func validate() throws {
        guard (tlsCert == nil) == (tlsKey == nil) else {
            throw ValidationError("--tls-cert and --tls-key are given together")
        }
        if let port, !(0...65535).contains(port) { throw ValidationError("'\(port)' is not a port") }
    }

    /// The address to listen on; nil for every one.
    public var address: String? {
        let chosen = listen ?? Described.service.defaultAddress
        return chosen == "*" ? nil : chosen
    }

    /// The port to listen on: that of the option, else that of the variable which 'volt service edit' sets.
    ///
    /// - Throws: `VoltError` with code `usage` for a variable that is not a port.
    public func port(_ environment: [String: String]) throws(VoltError) -> Int {
        if let port { return port }
        return try Self.defaultPort(environment)
    }

    /// The port to listen on without the option.
    public static func defaultPort(_ environment: [String: String]) throws(VoltError) -> Int {
        let name = Described.service.portVariable
        guard let variable = environment[name], !variable.isEmpty else {
            return Described.service.defaultPort
        }
        guard let port = Int(variable), (0...65535).contains(port) else {
            throw VoltError(.usage, "\(name) is '\(variable)', which is not a port")
        }
        return port
    }

    /// The absolute paths of certificate and key; nil for plain HTTP.
    public var tlsFiles: (certificate: String, key: String)? {
        guard let tlsCert, let tlsKey else { return nil }
        let here = Files.currentDirectory
        return (Files.absolute(tlsCert, from: here), Files.absolute(tlsKey, from: here))
    }
}
