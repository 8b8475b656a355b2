public import VoltCore
public import VoltSandbox
public import VoltSupervise
public import VoltWorkload

/// The secrets that a helper decrypts before it starts a payload.
public struct SecretSettings: Sendable, Equatable {
    /// The program that decrypts.
    public var program: String
    /// The file with the keys.
    public var identity: String
    /// The secrets, each as JSON: only the program that decrypts reads them.
    public var secrets: [String]

    /// - Parameters: see the properties.
    public init(program: String, identity: String, secrets: [String]) {
        self.program = program
        self.identity = identity
        self.secrets = secrets
    }

    /// Reads the keys `decrypt`, `identity` and `secret`; nil when there are no secrets.
    init?(_ settings: Settings) throws(VoltError) {
        guard let program = settings.optional("decrypt") else { return nil }
        self.init(program: program, identity: try settings.text("identity"), secrets: settings.all("secret"))
    }

    func add(to settings: inout Settings) {
        settings.add("decrypt", program)
        settings.add("identity", identity)
        settings.add("secret", all: secrets)
    }
}

/// The settings of the supervisor of a container.
public struct RunSettings: Sendable, Equatable {
    /// The largest encoded size, in bytes.
    public static let limit = Settings.limit

    /// Those that are the same whatever is supervised.
    public var supervise: SuperviseSettings
    /// The root file system.
    public var root: RootSettings
    /// The file with the settings of process 1.
    public var shim: String
    /// The mounts, process 1 the first: words with commas between them, a colon, and a path of the host.
    public var mounts: [String]
    /// Where in the container the mounts are, without the first, and after them the files of secrets.
    public var targets: [String]
    /// The command line of systemd-nspawn.
    public var argv: [String]
    /// The environment of systemd-nspawn.
    public var environment: [String]
    /// Whether the container has a network of its own.
    public var hasOwnNetwork = true
    /// Whether what is written below /run stays: a step of a build.
    public var runStays = false
    /// The socket of the port process of a container that is of no workload: its ports end with it.
    public var ports: String?
    /// The socket of the port process of the container's workload.
    public var workloadPorts: String?
    /// The secrets that are decrypted before each start, or nil.
    public var secrets: SecretSettings?

    /// - Parameters: see the properties.
    public init(
        supervise: SuperviseSettings, root: RootSettings, shim: String, mounts: [String], targets: [String],
        argv: [String], environment: [String]
    ) {
        self.supervise = supervise
        self.root = root
        self.shim = shim
        self.mounts = mounts
        self.targets = targets
        self.argv = argv
        self.environment = environment
    }

    /// Parses encoded settings.
    public init(decoding bytes: [UInt8]) throws(VoltError) { try self.init(Settings(decoding: bytes)) }

    /// Reads the settings.
    public init(_ settings: Settings) throws(VoltError) {
        self.init(
            supervise: try SuperviseSettings(settings), root: try RootSettings(settings),
            shim: try settings.text("shim"), mounts: settings.all("mount"), targets: settings.all("target"),
            argv: settings.all("argv"), environment: settings.all("env"))
        hasOwnNetwork = settings.flag("own-network")
        runStays = settings.flag("run-stays")
        ports = settings.optional("ports")
        workloadPorts = settings.optional("workload-ports")
        secrets = try SecretSettings(settings)
    }

    /// The bytes of the settings.
    public func encoded() throws(VoltError) -> [UInt8] {
        var settings = Settings()
        supervise.add(to: &settings)
        root.add(to: &settings)
        settings.add("shim", shim)
        settings.add("mount", all: mounts)
        settings.add("target", all: targets)
        settings.add("argv", all: argv)
        settings.add("env", all: environment)
        if hasOwnNetwork { settings.add("own-network", "1") }
        if runStays { settings.add("run-stays", "1") }
        if let ports { settings.add("ports", ports) }
        if let workloadPorts { settings.add("workload-ports", workloadPorts) }
        secrets?.add(to: &settings)
        return try settings.encoded()
    }
}

/// The settings of a command in a container that runs.
public struct ExecSettings: Sendable {
    /// Who runs what.
    public var confinement: Confinement
    /// Process 1 of the container.
    public var leader: Int32
    /// The files that move a process into the control groups of the container.
    public var groups: [String]
    /// Whether the command reads the input of the helper.
    public var readsInput = false
    /// Whether it has a terminal.
    public var hasTerminal = false
    /// The secrets that are decrypted for it, or nil.
    public var secrets: SecretSettings?
    /// The variables that it has its own values of.
    public var explicit: [String] = []

    /// - Parameters: see the properties.
    public init(confinement: Confinement, leader: Int32, groups: [String]) {
        self.confinement = confinement
        self.leader = leader
        self.groups = groups
    }

    /// Reads the settings.
    public init(_ settings: Settings) throws(VoltError) {
        self.init(
            confinement: try Confinement(settings), leader: try settings.number("leader"),
            groups: settings.all("group"))
        readsInput = settings.flag("stdin")
        hasTerminal = settings.flag("terminal")
        secrets = try SecretSettings(settings)
        explicit = settings.all("explicit")
    }

    /// The bytes of the settings.
    public func encoded() throws(VoltError) -> [UInt8] {
        var settings = Settings()
        confinement.add(to: &settings)
        settings.add("stdin", readsInput ? "1" : "0")
        settings.add("terminal", hasTerminal ? "1" : "0")
        settings.add("leader", String(leader))
        settings.add("group", all: groups)
        secrets?.add(to: &settings)
        settings.add("explicit", all: explicit)
        return try settings.encoded()
    }
}
