internal import ContainerSandbox
internal import FoundationEssentials
internal import Glibc
public import VoltCore
internal import VoltPorts
public import VoltSupervise
public import VoltSystem
internal import VoltSystemd
internal import VoltWorkload

/// The containers of this host, on systemd-nspawn.
///
/// Each container has a supervisor that outlives the command which started it: a unit of systemd where
/// that is PID 1, a process of its own elsewhere. Every call first repairs what a supervisor that was
/// killed has left behind.
public final class ContainerRuntime: Sendable {
    let paths: HostPaths
    let environment: [String: String]
    let clock: any WallClock
    let usesSystemd: Bool
    let helper: String
    private let shim: String
    private let nspawn: String

    /// - Throws: `VoltError` with code `missing` when systemd-nspawn or a helper is not installed, `refused`
    ///   when the user is not root.
    public init(paths: HostPaths, environment: [String: String], clock: any WallClock) throws(VoltError) {
        guard HostPaths.runsAsRoot else {
            throw VoltError(.refused, "containers need root", hint: "run the command with sudo")
        }
        self.paths = paths
        self.environment = environment
        self.clock = clock
        usesSystemd = Systemd.current != nil
        helper = try Processes.helper("volt-container--run")
        shim = try Processes.helper("volt-container--init")
        guard let nspawn = ["/usr/bin/systemd-nspawn", "/bin/systemd-nspawn"].first(where: Files.exists)
        else {
            throw VoltError(
                .missing, "systemd-nspawn is not installed", hint: "install the package systemd-container")
        }
        self.nspawn = nspawn
        try Self.checkFormat(of: paths.state)
        // What containers write may be setuid, and devices: no user of the host walks in, also where one of these is
        // elsewhere by a link or a mount.
        for name in ["containers", "volumes"] { try Files.makePrivateDirectory("\(paths.state)/\(name)") }
        try Files.makeDirectory("\(paths.runtime)/locks", mode: 0o755)
    }

    // MARK: Making and removing

    /// Creates a container; it is on disk when this returns.
    ///
    /// - Throws: `VoltError` with code `conflict` when the name is taken.
    public func create(_ spec: ContainerSpec) throws(VoltError) { try create(spec) { _ in } }

    /// - Parameter change: more about what the helper does.
    func create(_ spec: ContainerSpec, change: (inout RunSettings) -> Void) throws(VoltError) {
        try AccountNumber.check(spec.user)
        try withLock(spec.name) { () throws(VoltError) in
            let directory = directory(spec.name)
            guard !Files.exists("\(directory)/spec.json") else {
                throw VoltError(
                    .conflict, "container '\(spec.name)' exists already",
                    hint: "remove it with 'volt container rm \(spec.name)', or choose another name")
            }
            for port in spec.ports where port.transport != "tcp" {
                throw VoltError(
                    .usage, "port \(port.hostPort)/\(port.transport) cannot be published: only tcp can")
            }
            // What an interrupted create has left.
            try discard(directory)
            for name in ["upper", "work", "stage"] { try Files.makeDirectory("\(directory)/\(name)") }
            try write(
                spec, to: directory, upper: "\(directory)/upper", work: "\(directory)/work", change: change)
            try save(try JSONFile.encode(spec), "\(directory)/spec.json", spec)
        }
    }

    /// Writes what the helpers read.
    func write(
        _ spec: ContainerSpec, to directory: String, upper: String, work: String,
        change: (inout RunSettings) -> Void
    ) throws(VoltError) {
        let command = NspawnCommand(spec: spec)
        for mount in spec.mounts {
            let source = mount.isVolume ? volume(mount.source) : mount.source
            // A volume that is not there yet is made at the start.
            guard mount.isVolume || Files.exists(source) else {
                throw VoltError(.notFound, "'\(mount.source)', which is to be mounted, does not exist")
            }
        }
        var root = RootSettings(stage: "\(directory)/stage", upper: upper, work: work)
        root.layers = try ImageStore(paths: paths, clock: clock).mounts(of: spec.lowers)
        var settings = command.supervisorSettings(
            directory: directory, group: id(spec.name.text), root: root,
            mounts: ["ro:\(shim)"] + mounts(of: spec),
            argv: command.argv(nspawn: nspawn, isThere: Files.exists), limitsByUnit: usesSystemd)
        change(&settings)
        if spec.workload == nil, !spec.ports.isEmpty { settings.ports = ports.socket(portKey(of: spec)) }
        if spec.removeWhenDone { settings.supervise.lock = lockFile(spec.name) }
        settings.secrets = try secretSettings(of: spec, directory)
        try save(try command.shimSettings().encoded(), "\(directory)/init", spec)
        try save(try settings.encoded(), "\(directory)/run", spec)
    }

    /// The mounts that the helper makes: words with commas between them, a colon, and a path of the host. A volume gives nobody
    /// the rights of another and no devices unless that is asked for; a directory of the host is as the host has it.
    private func mounts(of spec: ContainerSpec) -> [String] {
        spec.mounts.map { mount in
            var words = [mount.readOnly ? "ro" : "rw"]
            if mount.isVolume, mount.allowsSetuid != true { words.append("nosuid") }
            if mount.isVolume, mount.allowsDevices != true { words.append("nodev") }
            return "\(words.joined(separator: ",")):\(mount.isVolume ? volume(mount.source) : mount.source)"
        }
    }

    /// Writes a file of a container; one that goes away with its payload need not survive a power failure.
    func save(_ bytes: [UInt8], _ path: String, _ spec: ContainerSpec) throws(VoltError) {
        if spec.removeWhenDone {
            try Files.replaceUnsynced(path, with: bytes)
        } else {
            try Files.replace(path, with: bytes, mode: 0o600)
        }
    }

    /// Starts a container and returns when its payload was executed.
    ///
    /// - Throws: `VoltError` with code `conflict` when it runs already, `runtimeFailed`, `cannotRun` or
    ///   `commandNotFound` when it could not be started.
    public func start(_ name: Name) throws(VoltError) {
        try withLock(name) { () throws(VoltError) in
            let state = try repaired(name)
            guard state.state == .created || state.state == .exited else {
                throw VoltError(.conflict, "container '\(name)' runs already")
            }
            try instance(name).setDesired(true)
            // Where the ports of its workload lead here, they lead to the network that this start makes; also
            // when the payload fails at first and is tried again.
            defer { if state.spec.workload != nil { repairPorts(of: name) } }
            try launch(name, state.spec, restarts: 0)
            guard state.spec.workload == nil else { return }
            do throws(VoltError) { try publishOwn(state.spec) } catch {
                // A container that nobody can reach has not started.
                try? stopLocked(name)
                throw error
            }
        }
    }

    /// Stops a container: its stop signal, then a kill when it takes too long.
    public func stop(_ name: Name) throws(VoltError) {
        try withLock(name) { () throws(VoltError) in
            try stopLocked(name)
        }
    }

    func stopLocked(_ name: Name, atOnce: Bool = false) throws(VoltError) {
        // First, so that a repair in between does not start it again.
        try instance(name).setDesired(false)
        guard let record = RunRecord(in: directory(name)), record.isSupervised else { return }
        // After a switch the callers of the old container finish before it ends.
        let spec = try spec(name)
        if let spec, !atOnce { drain(spec, seconds: 5) }
        if let leader = PassedSignals.leader(of: record.main), ProcessTable.isFrozen(leader) {
            LeftGroups(name: id(name.text)).thaw()
        }
        let hasEnded = try instance(name).stop(
            within: spec?.stopTimeoutMilliseconds ?? 10_000,
            atOnce: atOnce ? PassedSignals.leader(of: record.main) : nil)
        if !hasEnded { _ = try repaired(name) }
    }

    // MARK: Looking

    /// A container as it is now; one whose supervisor was killed is repaired first.
    ///
    /// - Throws: `VoltError` with code `notFound`.
    public func state(_ name: Name) throws(VoltError) -> ContainerState {
        repairPorts()
        if needsRepair(name) {
            return try withLock(name) { () throws(VoltError) in try repaired(name) }
        }
        return try read(name)
    }

    /// All containers, by name.
    public func list() throws(VoltError) -> [ContainerState] {
        var states: [ContainerState] = []
        repairPorts()
        sweep()
        for text in try Files.list("\(paths.state)/containers") {
            guard let name = try? Name(text), Files.exists("\(directory(name))/spec.json") else { continue }
            do throws(VoltError) { states.append(try state(name)) } catch  where error.code == .notFound {
                // Removed meanwhile.
            }
        }
        return states
    }

    /// The output of a container, past and to come, from the oldest line on that is kept.
    public func log(_ name: Name) throws(VoltError) -> LogReader {
        _ = try read(name)
        return instance(name).log()
    }

    /// The last lines that a container printed.
    public func lastLog(_ name: Name, lines count: Int) throws(VoltError) -> [LogLine] {
        _ = try read(name)
        return try instance(name).lastLog(lines: count)
    }

    /// The images that containers use, each with the name of such a container.
    public func imageDigestsInUse() throws(VoltError) -> [Digest: String] {
        var used: [Digest: String] = [:]
        for text in try Files.list("\(paths.state)/containers") {
            guard let name = try? Name(text), let spec = try spec(name), let digest = spec.imageDigest else {
                continue
            }
            used[digest] = text
        }
        return used
    }

    // MARK: Parts

    func directory(_ name: Name) -> String { "\(paths.state)/containers/\(name)" }

    /// The container as its supervisor sees it.
    func instance(_ name: Name) -> SupervisedInstance {
        SupervisedInstance(directory: directory(name), title: "container '\(name)'")
    }

    /// The name of a container's control groups and unit: one host may have two roots, such as a trial
    /// beside the real one, with containers of the same name.
    func id(_ name: String) -> String { unitName("container-\(name)") }

    /// The name of a unit of what volt-container runs; its kind comes first, so that a container named `gitops`
    /// is never taken for `volt-gitops.service`.
    func unitName(_ name: String) -> String {
        guard paths.state != "/var/lib/volt/container" else { return "volt-\(name)" }
        return "volt-\(name)-\(StableHash.shortText(of: paths.state))"
    }

    /// Runs with the lock of a container, which the kernel releases when this process dies.
    func withLock<Result>(_ name: Name, _ body: () throws(VoltError) -> Result) throws(VoltError)
        -> Result
    {
        let lock = try FileLock.wait(for: lockFile(name))
        let result = try body()
        _ = consume lock
        return result
    }

    func spec(_ name: Name) throws(VoltError) -> ContainerSpec? {
        guard Files.exists("\(directory(name))/spec.json") else { return nil }
        return try JSONFile.read(ContainerSpec.self, "\(directory(name))/spec.json")
    }

    func needsRepair(_ name: Name) -> Bool {
        guard let record = RunRecord(in: directory(name)), record.phase != .exited else { return false }
        return !record.isSupervised
    }

    /// The state after what a killed supervisor left behind was cleared away, and the container started
    /// again when its restart policy says so. The lock is held.
    func repaired(_ name: Name) throws(VoltError) -> ContainerState {
        let state = try read(name)
        guard needsRepair(name), var record = RunRecord(in: directory(name)) else { return state }
        let isToRun = instance(name).isDesired && state.spec.restart != .no && !state.spec.removeWhenDone
        if usesSystemd, isToRun, isTakenOver(name) { return try read(name) }
        LeftGroups(name: id(name.text)).clear()
        record.phase = .exited
        record.code = 128 + SIGKILL
        record.main = 0
        record.finished = clock.now().milliseconds
        try record.write(to: directory(name), durably: true)
        if state.spec.removeWhenDone {
            if state.spec.workload == nil { try ports.close(portKey(of: state.spec)) }
            try discard(directory(name))
            return try read(name)
        }
        guard isToRun else { return try read(name) }
        try launch(name, state.spec, restarts: record.restarts + 1)
        repairPorts(of: name)
        return try read(name)
    }

    /// Waits for systemd to start another supervisor in the place of one that was killed, for a second at most.
    private func isTakenOver(_ name: Name) -> Bool {
        // After a start of the host there is no unit.
        let unit = (try? Systemd.current?.states(of: ["\(id(name.text)).service"]))?.first
        guard unit?.isActive == true || !needsRepair(name) else { return false }
        let deadline = ContinuousClock.now + .seconds(1)
        while needsRepair(name) {
            guard ContinuousClock.now < deadline else { return false }
            usleep(5_000)
        }
        return true
    }

    private func read(_ name: Name) throws(VoltError) -> ContainerState {
        guard let spec = try spec(name) else {
            throw VoltError(
                .notFound, "there is no container '\(name)'",
                hint: "'volt container ps --all' shows those there are")
        }
        var state = ContainerState(
            spec: spec, state: .created, health: .none, pid: nil, supervisor: nil,
            supervisedBy: usesSystemd ? "systemd" : "volt", exitCode: nil, oomKilled: nil, message: "",
            startedAt: nil,
            finishedAt: nil, restarts: 0)
        guard let record = RunRecord(in: directory(name)) else { return state }
        let payload = instance(name).status
        state.state =
            record.phase == .running ? .running : record.phase == .restarting ? .restarting : .exited
        state.restarts = record.restarts
        state.startedAt = record.started > 0 ? Timestamp(milliseconds: record.started) : nil
        state.message = payload?.message ?? ""
        if record.finished > 0 {
            state.finishedAt = Timestamp(milliseconds: record.finished)
            state.exitCode = record.code
            state.oomKilled = record.outOfMemory
        }
        if record.phase == .running {
            state.supervisor = record.supervisor
            state.pid = PassedSignals.leader(of: record.main)
            state.health = payload?.health ?? .none
            // Between two tries of a payload its check says nothing, which is not that all is well.
            if spec.health != nil, state.health == .none { state.health = .starting }
        }
        return state
    }

    // MARK: Starting

    func launch(_ name: Name, _ spec: ContainerSpec, restarts: Int) throws(VoltError) {
        let directory = directory(name)
        var settings = try runSettings(of: name)
        settings.supervise.restarts = restarts
        settings.workloadPorts = spec.workload.map { ports.socket($0.text) }
        if settings.ports != nil { settings.ports = ports.socket(portKey(of: spec)) }
        // Earlier versions wrote nothing about setuid and devices. The first mount is the shim.
        settings.mounts = settings.mounts.prefix(1) + mounts(of: spec)
        // They may have been removed since the container was made.
        _ = try ImageStore(paths: paths, clock: clock).mounts(of: spec.lowers)
        try save(try settings.encoded(), "\(directory)/run", spec)
        try fillVolumes(of: spec)
        let instance = instance(name)
        try instance.forget()
        try instance.waitForStart(supervisor: try spawn(name, spec, ["supervise", "\(directory)/run"]))
    }

    /// The settings of the supervisor of a container.
    func runSettings(of name: Name) throws(VoltError) -> RunSettings {
        try RunSettings(decoding: try Files.read("\(directory(name))/run", limit: RunSettings.limit))
    }

    /// Starts a helper outside of everything this process belongs to.
    ///
    /// - Returns: its process id, or nil when systemd started it.
    private func spawn(_ name: Name, _ spec: ContainerSpec, _ arguments: [String]) throws(VoltError) -> Int32?
    {
        guard usesSystemd else {
            return try Processes.spawnDetached(
                helper, arguments, environment: ["PATH": "/usr/sbin:/usr/bin:/sbin:/bin"])
        }
        var properties = [
            // Everything in the container dies with the supervisor, and systemd is not to wait until it has seen that
            // before it starts another one: with control groups of version 1 it may see it late.
            "Type=exec", "Delegate=yes", "KillMode=process",
            "TimeoutStopSec=\((spec.stopTimeoutMilliseconds + 5_000) / 1000)",
        ]
        if let memory = spec.limits.memory { properties.append("MemoryMax=\(memory)") }
        if let tasks = spec.limits.unitTasks { properties.append("TasksMax=\(tasks)") }
        if let percent = spec.limits.unitPercent { properties.append("CPUQuota=\(percent)%") }
        if spec.restart != .no { properties += TransientUnit.restarts }
        try TransientUnit.run(id(name.text), properties: properties, [helper] + arguments)
        return nil
    }
}
