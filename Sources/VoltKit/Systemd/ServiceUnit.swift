public import VoltCore
public import VoltSystem

/// The server of a tool as a service of systemd: `volt-<tool>.service`, which runs `volt-<tool> serve`, and
/// `volt-<tool>.socket` when systemd is to listen.
public struct ServiceDescription: Sendable {
    /// The name of the tool behind `volt-`.
    public let tool: String
    /// `Description=` of the service.
    public let title: String
    /// `Description=` of the socket.
    public let socketTitle: String
    /// The port of a server that is told none.
    public let defaultPort: Int
    /// The address that it listens on unless told otherwise; nil for every one.
    public let defaultAddress: String?
    /// The restrictions of the service.
    public let profile: HardeningProfile
    /// The page that says why, for a comment in the unit.
    public let page: String
    /// Whether the unit reads `<tool>.env` beside the configuration: variables that must not be arguments.
    public let readsEnvironmentFile: Bool

    /// - Parameters: see the properties.
    public init(
        tool: String, title: String, socketTitle: String, defaultPort: Int, defaultAddress: String? = nil,
        profile: HardeningProfile, page: String, readsEnvironmentFile: Bool = false
    ) {
        self.tool = tool
        self.title = title
        self.socketTitle = socketTitle
        self.defaultPort = defaultPort
        self.defaultAddress = defaultAddress
        self.profile = profile
        self.page = page
        self.readsEnvironmentFile = readsEnvironmentFile
    }

    /// The name of the service.
    public var serviceName: String { "volt-\(tool).service" }
    /// The name of its socket.
    public var socketName: String { "volt-\(tool).socket" }
    /// Both.
    public var units: [String] { [serviceName, socketName] }
    /// The variable by which `serve` gets a port: `VOLT_GITOPS_PORT`.
    public var portVariable: String { "VOLT_\(tool.replacing("-", with: "_").uppercased())_PORT" }
}

/// The unit files of a service.
public struct ServiceUnit: Sendable, Equatable {
    /// The settings of a host for a service.
    public struct Settings: Sendable, Equatable {
        /// The port, or nil for that of the description.
        public var port: Int?
        /// The address that the socket listens on; nil for every one.
        public var address: String?
        /// Whether systemd listens.
        public var hasSocket = false
        /// The words behind `serve`.
        public var arguments: [String] = []
        /// Directories that a strict service writes to, beside those of the tool.
        public var writablePaths: [String] = []

        /// Nothing is decided.
        public init() {}
    }

    private let description: ServiceDescription
    private let executable: String
    private let root: String?
    private let paths: HostPaths
    private let settings: Settings

    /// - Parameters:
    ///   - executable: the absolute path of the tool.
    ///   - root: `VOLT_ROOT`, or nil for the directories of the host.
    ///   - paths: the directories of the tool.
    public init(
        _ description: ServiceDescription, executable: String, root: String?, paths: HostPaths,
        settings: Settings
    ) {
        self.description = description
        self.executable = executable
        self.root = root
        self.paths = paths
        self.settings = settings
    }

    /// Whether the files have the same text.
    public static func == (left: ServiceUnit, right: ServiceUnit) -> Bool {
        left.text == right.text && left.socketText == right.socketText
    }

    /// A /tmp of its own hides what is below the host's, where a root for trials or the program may be.
    private var temporary: String {
        let isInTmp = ([executable, root ?? ""] + settings.writablePaths).contains {
            $0.hasPrefix("/tmp") || $0.hasPrefix("/var/tmp")
        }
        return isInTmp ? "" : "PrivateTmp=yes\n"
    }

    /// The directories that a strict service writes to. Those of the host are made by systemd, also after a reboot.
    private var directories: String {
        guard description.profile.isStrict else { return "" }
        var lines = ""
        if root == nil {
            lines += "StateDirectory=volt/\(description.tool)\nStateDirectoryMode=0700\n"
            lines += "RuntimeDirectory=volt/\(description.tool)\nRuntimeDirectoryMode=0755\n"
            lines += "RuntimeDirectoryPreserve=yes\n"
        }
        let writable = (root == nil ? [] : [paths.state, paths.runtime]) + settings.writablePaths
        for path in writable { lines += "ReadWritePaths=\(UnitWords.quoted(path, isCommand: false))\n" }
        return lines
    }

    private var command: String {
        ([executable, "serve"] + settings.arguments).map { UnitWords.quoted($0) }.joined(separator: " ")
    }

    /// The text of the service.
    public var text: String {
        let (service, socket) = ("volt-\(description.tool)", description.socketName)
        var variables =
            root.map { "Environment=\"VOLT_ROOT=\($0.replacing("%", with: "%%"))\"\n" } ?? ""
        if let port = settings.port { variables += "Environment=\(description.portVariable)=\(port)\n" }
        if description.readsEnvironmentFile {
            variables += "EnvironmentFile=-\(environmentFile.replacing("%", with: "%%"))\n"
        }
        let sockets = settings.hasSocket ? "Requires=\(socket)\nAfter=\(socket)\n" : ""
        return """
            # Written by 'volt \(description.tool) install-service'; change it with 'volt service edit \(service)'.
            [Unit]
            Description=\(description.title)
            Documentation=man:\(service)(1)
            After=network-online.target
            Wants=network-online.target
            # However often it is restarted, it is started again: a limit would close the socket for good.
            StartLimitIntervalSec=0
            \(sockets)
            [Service]
            Type=notify
            TimeoutStartSec=10min
            WatchdogSec=60s
            ExecStart=\(command)
            ExecReload=/bin/kill -HUP $MAINPID
            \(variables)Restart=on-failure
            RestartSec=2s
            KillMode=mixed
            TimeoutStopSec=60s
            OOMPolicy=continue

            # What it may not do; see \(description.page) before you take any of it out.
            \(temporary)\(directories)\(description.profile.settings)

            [Install]
            WantedBy=multi-user.target

            """
    }

    /// The file with variables for the service, read when it is there.
    public var environmentFile: String { "\(paths.configuration)/\(description.tool).env" }

    /// What the socket listens on: a port, or an address with one.
    private var listens: String {
        let port = settings.port ?? description.defaultPort
        guard let address = settings.address else { return "\(port)" }
        return address.contains(":") ? "[\(address)]:\(port)" : "\(address):\(port)"
    }

    /// The text of the socket.
    public var socketText: String {
        """
        # Written by 'volt \(description.tool) install-service --socket'; 'volt service edit volt-\(description.tool) --port' changes the port.
        [Unit]
        Description=\(description.socketTitle)

        [Socket]
        ListenStream=\(listens)
        Backlog=1024

        [Install]
        WantedBy=sockets.target

        """
    }

    /// Writes the units and has systemd read them, where systemd is PID 1. A socket that is not wanted is removed.
    ///
    /// - Returns: the paths of the units.
    public func install(in directory: String) throws(VoltError) -> [String] {
        try Files.makeDirectory(directory)
        let file = "\(directory)/\(description.serviceName)"
        let socket = "\(directory)/\(description.socketName)"
        let systemd = directory == Systemd.unitDirectory ? Systemd.current : nil
        // systemd does not start a service whose directories are not there.
        for path in settings.writablePaths where description.profile.isStrict {
            if !Files.exists(path) { try Files.makeDirectory(path, mode: 0o700) }
        }
        if root != nil, description.profile.isStrict {
            for path in [paths.state, paths.runtime] where !Files.exists(path) {
                try Files.makeDirectory(path, mode: 0o700)
            }
        }
        if !settings.hasSocket, Files.exists(socket) {
            try systemd?.control(["disable", "--now", "--quiet", description.socketName])
            try Files.remove(socket)
        }
        if settings.hasSocket { try Files.replace(socket, with: socketText.utf8) }
        try Files.replace(file, with: text.utf8)
        try systemd?.reload()
        return settings.hasSocket ? [socket, file] : [file]
    }
}
