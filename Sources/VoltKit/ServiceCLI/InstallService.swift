public import ArgumentParser
internal import Glibc
public import VoltCLI
internal import VoltCore
internal import VoltSystem
public import VoltSystemd

/// The `serve` command of a tool, which a unit of systemd runs.
public protocol ServiceCommand: ParsableCommand {
    /// The service.
    associatedtype Described: ServiceDescribing
    /// Where it listens.
    var serving: ServeOptions<Described> { get }
    /// The files that the options name.
    func files(_ context: ToolContext) throws -> ServiceFiles
}

/// The files that the options of a server name, as they were written.
public struct ServiceFiles: Sendable, Equatable {
    /// Files that it reads.
    public var read: [String]
    /// Directories that it writes to, beside those of the tool.
    public var writtenDirectories: [String]

    /// - Parameters: see the properties.
    public init(read: [String?] = [], writtenDirectories: [String] = []) {
        self.read = read.compactMap { $0 }
        self.writtenDirectories = writtenDirectories
    }
}

/// `install-service`: writes the units of a tool's server.
public struct InstallService<Serve: ServiceCommand>: ParsableCommand {
    /// The name, and the help with the names of the tool.
    public static var configuration: CommandConfiguration {
        let service = description
        let (tool, example) = (service.tool, service.defaultPort + 101)
        return CommandConfiguration(
            commandName: "install-service",
            abstract: "Write \(service.serviceName) for systemd.",
            discussion: """
                It starts nothing: 'systemctl enable' and 'systemctl restart' of the units it names do, also where the \
                service runs already. With --socket systemd itself listens, so that no connection is refused while the \
                service is restarted. The words behind '--' are options of 'serve'; paths among them are absolute. What \
                is not given stays as it is in the units that are there.

                Examples:
                  volt \(tool) install-service
                  volt \(tool) install-service --socket --port \(example)
                  volt \(tool) install-service -- --ui
                """)
    }

    @Option(
        help:
            "The directory for the unit; /etc/systemd/system when not given, below VOLT_ROOT where that is set."
    )
    var destination: String?
    @Option(
        help: ArgumentHelp(
            "The port; not given: the one of the units that are there, else \(Self.description.defaultPort). 'volt service edit volt-\(Self.description.tool) --port' changes it later."
        ))
    var port: Int?
    @Flag(
        inversion: .prefixedNo,
        help: ArgumentHelp(
            "Write \(Self.description.socketName) too, or remove it; not given: it stays as it is."))
    var socket: Bool?
    @Flag(help: "Start anew: keep neither the port nor the options of the units that are there.")
    var reset = false
    @Argument(parsing: .postTerminator, help: "Options of 'serve' for the unit.")
    var options: [String] = []

    /// For ArgumentParser.
    public init() {}

    private static var description: ServiceDescription { Serve.Described.service }

    /// Refuses what is not a port.
    public func validate() throws {
        if let port, !(1...65535).contains(port) { throw ValidationError("'\(port)' is not a port") }
    }

    /// Writes the units and says what to do with them.
    public func run() throws {
        let description = Self.description
        let context = try ToolContext(tool: description.tool)
        let root = context.environment["VOLT_ROOT"]
        let directory =
            destination.map { Files.absolute($0, from: Files.currentDirectory) }
            ?? (root ?? "") + Systemd.unitDirectory
        let installed = InstalledUnits(description, in: directory)
        var settings = ServiceUnit.Settings()
        settings.port = port ?? (reset ? nil : installed.port)
        settings.hasSocket = socket ?? installed.hasSocket
        settings.arguments = options.isEmpty && !reset ? installed.arguments : options
        try fill(&settings, context)
        let unit = ServiceUnit(
            description, executable: Processes.selfPath, root: root, paths: context.paths,
            settings: settings)
        let files = try unit.install(in: directory)
        for file in files { Output.note("wrote \(file)") }
        let names = files.map { Files.lastComponent(of: $0) }.joined(separator: " ")
        if directory != Systemd.unitDirectory {
            Output.note("systemd reads it after: systemctl link \(files.joined(separator: " "))")
        }
        // Not 'enable --now': a socket does not start beside its service that runs, and one that runs is not read anew.
        Output.note(
            "start it, or start it anew, with: systemctl enable \(names) && systemctl restart \(names)")
    }

    /// Checks the options of the server now, rather than when it starts, and takes what the unit needs of them.
    private func fill(_ settings: inout ServiceUnit.Settings, _ context: ToolContext) throws {
        let serve: Serve
        do { serve = try Serve.parse(settings.arguments) } catch {
            throw VoltError(
                .usage, "'serve' does not take these options: \(Serve.message(for: error))",
                hint: "see 'volt \(Self.description.tool) serve --help'")
        }
        guard serve.serving.port == nil else {
            throw VoltError(
                .usage, "the port is not among the options of 'serve'",
                hint: "give --port before '--': 'volt service edit' can change it then")
        }
        settings.address = serve.serving.address
        if settings.hasSocket, let address = settings.address, !Self.isAddress(address) {
            throw VoltError(
                .usage, "'\(address)' is not an address that systemd can listen on",
                hint: "write one such as 127.0.0.1 or ::1")
        }
        let files = try serve.files(context)
        for path in files.read + files.writtenDirectories where !path.hasPrefix("/") {
            throw VoltError(
                .usage, "'\(path)' is not an absolute path", hint: "a service has no directory to start from")
        }
        for path in files.read where !Files.exists(path) {
            throw VoltError(.notFound, "there is no file '\(path)'")
        }
        settings.writablePaths = files.writtenDirectories
    }

    private static func isAddress(_ text: String) -> Bool {
        var bytes = [UInt8](repeating: 0, count: 16)
        return inet_pton(AF_INET, text, &bytes) == 1 || inet_pton(AF_INET6, text, &bytes) == 1
    }
}
