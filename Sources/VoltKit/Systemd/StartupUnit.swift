public import VoltCore
public import VoltSystem

/// The static unit of a kind of workload, `volt-<kind>.service`, which runs `volt-<kind> start --all` when the host
/// starts.
public struct StartupDescription: Sendable {
    /// The name of the tool behind `volt-`.
    public let tool: String
    /// `Description=` of the unit.
    public let title: String
    /// The page that says why, for a comment in the unit.
    public let page: String

    /// - Parameters: see the properties.
    public init(tool: String, title: String, page: String) {
        self.tool = tool
        self.title = title
        self.page = page
    }

    /// The name of the unit.
    public var serviceName: String { "volt-\(tool).service" }
    /// The same, for `units` of the tool's metadata.
    public var units: [String] { [serviceName] }
}

/// The unit file that starts what should run.
public struct StartupUnit: Sendable, Equatable {
    /// The text of the unit.
    public let text: String
    private let name: String

    /// - Parameters:
    ///   - executable: the absolute path of the tool.
    ///   - root: `VOLT_ROOT`, or nil for the directories of the host.
    public init(_ startup: StartupDescription, executable: String, root: String?) {
        name = startup.serviceName
        let command = UnitWords.quoted(executable) + " start --all"
        let variables = root.map { "Environment=\"VOLT_ROOT=\($0.replacing("%", with: "%%"))\"\n" } ?? ""
        text = """
            # Written by 'volt \(startup.tool) install-service'; change it with 'volt service edit volt-\(startup.tool)'.
            [Unit]
            Description=\(startup.title)
            Documentation=man:volt-\(startup.tool)(1)
            After=network-online.target local-fs.target remote-fs.target
            Wants=network-online.target
            # What a deploy would start otherwise runs by then. It is an order alone: neither needs the other.
            Before=volt-gitops.service

            [Service]
            Type=oneshot
            # What it starts are units of their own: to stop this one stops none of them.
            RemainAfterExit=yes
            ExecStart=\(command)
            \(variables)TimeoutStartSec=15min
            OOMPolicy=continue

            # What it may not do; see \(startup.page) before you take any of it out.
            \(HardeningProfile.deployer.settings)

            [Install]
            WantedBy=multi-user.target

            """
    }

    /// Writes the unit and has systemd read it, where systemd is PID 1.
    ///
    /// - Returns: the path of the unit.
    public func install(in directory: String) throws(VoltError) -> String {
        try Files.makeDirectory(directory)
        let file = "\(directory)/\(name)"
        try Files.replace(file, with: text.utf8)
        if directory == Systemd.unitDirectory { try Systemd.current?.reload() }
        return file
    }
}
