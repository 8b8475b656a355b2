public import ArgumentParser
internal import VoltCLI
internal import VoltCore
internal import VoltSystem
public import VoltSystemd

/// A type that stands for the unit by which a kind of workload starts with the host.
public protocol StartupDescribing {
    /// The unit.
    static var startup: StartupDescription { get }
}

/// `install-service` of a kind of workload: writes the unit that starts what should run when the host starts.
public struct InstallStartup<Described: StartupDescribing>: ParsableCommand {
    /// The name, and the help with the names of the tool.
    public static var configuration: CommandConfiguration {
        let startup = Described.startup
        return CommandConfiguration(
            commandName: "install-service",
            abstract: "Write \(startup.serviceName) for systemd.",
            discussion: """
                The unit runs 'volt \(startup.tool) start --all' when the host starts, with or without 'volt gitops serve'. \
                This command starts nothing: 'systemctl enable' of the unit has it run at the next start of the host. To \
                stop the unit stops none of what it started.

                  volt \(startup.tool) install-service
                """)
    }

    @Option(
        help:
            "The directory for the unit; /etc/systemd/system when not given, below VOLT_ROOT where that is set."
    )
    var destination: String?

    /// For ArgumentParser.
    public init() {}

    /// Writes the unit and says what to do with it.
    public func run() throws {
        let context = try ToolContext(tool: Described.startup.tool)
        let root = context.environment["VOLT_ROOT"]
        let directory =
            destination.map { Files.absolute($0, from: Files.currentDirectory) }
            ?? (root ?? "") + Systemd.unitDirectory
        let unit = StartupUnit(Described.startup, executable: Processes.selfPath, root: root)
        let file = try unit.install(in: directory)
        Output.note("wrote \(file)")
        if directory != Systemd.unitDirectory {
            Output.note("systemd reads it after: systemctl link \(file)")
        }
        Output.note("have it start with the host: systemctl enable \(Described.startup.serviceName)")
    }
}
