public import VoltCore
public import VoltWorkload

/// The limits of control groups, as the kernel takes them; nil is no limit.
public struct GroupLimits: Sendable, Equatable {
    /// Bytes of memory.
    public var memory: UInt64?
    /// Processes and threads.
    public var pids: Int?
    /// Microseconds of processor time in each 100,000.
    public var cpuQuota: Int?

    /// No limits.
    public init() {}

    /// - Parameters:
    ///   - limits: those of the payload.
    ///   - ownProcesses: how many processes are in the groups that are not the payload's.
    public init(_ limits: ResourceLimits, ownProcesses: Int = 0) {
        memory = limits.memory
        pids = limits.pids.map { $0 + ownProcesses }
        cpuQuota = limits.cpus.map { Int($0 * 100_000) }
    }
}

/// The settings of a supervisor that are the same whatever it supervises.
///
/// They are a file that the engine writes and the supervisor reads; a tool adds keys of its own for its launcher. The
/// keys stay: systemd may start a supervisor of an earlier version again, which then reads what a newer engine wrote.
public struct SuperviseSettings: Sendable, Equatable {
    /// The directory of the instance, where `state`, `status` and `log` are.
    public var directory: String
    /// The name of the control groups, unique on the host.
    public var group: String
    /// Whether a payload that ended is started again.
    public var restart = RestartPolicy.no
    /// How often it was started again already.
    public var restarts = 0
    /// How long it may take to end after it was asked to, in milliseconds.
    public var stopTimeoutMilliseconds: Int64 = 10_000
    /// The limits that the supervisor sets; none where a unit of systemd has them.
    public var limits = GroupLimits()
    /// Whether the supervisor is a unit of systemd: the output then goes to the journal as well.
    public var isUnit = false
    /// Whether the unit has a limit of memory also where the supervisor is in a scope.
    public var hasMemoryLimitOfUnit = false
    /// Whether the directory is removed when the payload has ended for good.
    public var removesDirectory = false
    /// The file of the instance's lock, which is removed with the directory.
    public var lock: String?
    /// Whether a payload in the foreground reads the supervisor's input.
    public var readsInput = false

    /// - Parameters: see the properties.
    public init(directory: String, group: String) {
        self.directory = directory
        self.group = group
    }

    /// Reads the settings.
    public init(_ settings: Settings) throws(VoltError) {
        self.init(directory: try settings.text("directory"), group: try settings.text("group"))
        restart = settings.optional("restart").flatMap(RestartPolicy.init) ?? .no
        restarts = settings.optional("restarts").flatMap { Int($0) } ?? 0
        stopTimeoutMilliseconds = settings.optional("stop-timeout").flatMap { Int64($0) } ?? 10_000
        if settings.optional("memory") != nil { limits.memory = try settings.number("memory") }
        if settings.optional("pids") != nil { limits.pids = try settings.number("pids") }
        if settings.optional("cpu-quota") != nil { limits.cpuQuota = try settings.number("cpu-quota") }
        isUnit = settings.flag("journal")
        hasMemoryLimitOfUnit = settings.flag("memory-by-unit")
        removesDirectory = settings.flag("remove")
        lock = settings.optional("lock")
        readsInput = settings.flag("stdin")
    }

    /// Writes the same.
    public func add(to settings: inout Settings) {
        settings.add("group", group)
        settings.add("directory", directory)
        settings.add("restart", restart.rawValue)
        settings.add("restarts", String(restarts))
        settings.add("stop-timeout", String(stopTimeoutMilliseconds))
        if let memory = limits.memory { settings.add("memory", String(memory)) }
        if let pids = limits.pids { settings.add("pids", String(pids)) }
        if let quota = limits.cpuQuota { settings.add("cpu-quota", String(quota)) }
        if isUnit { settings.add("journal", "1") }
        if hasMemoryLimitOfUnit { settings.add("memory-by-unit", "1") }
        if removesDirectory { settings.add("remove", "1") }
        if let lock { settings.add("lock", lock) }
        if readsInput { settings.add("stdin", "1") }
    }
}
