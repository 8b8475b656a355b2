public import VoltCore
internal import VoltCrypto
public import VoltPorts
public import VoltRollout
public import VoltSupervise
public import VoltSystem
internal import VoltSystemd
public import VoltWorkload

/// The instances of a kind that are supervised processes with published ports: most of what a `RolloutRuntime` does.
///
/// An instance is a directory. The file `spec` has what the kind starts it from; the others are those of its supervisor.
/// The helpers are `volt-<tool>--run` (`SupervisorProgram` with `PublishedProcess`) and `volt-<tool>--port`
/// (`PortProgram`). Where systemd is process 1 they are units of their own, and outlive the service that runs the tool.
public struct SupervisedInstances: Sendable {
    /// The published ports of the workloads.
    public let ports: PortTable
    private let tool: String
    private let directory: String
    /// Behind the names of units and control groups of another root than the host's.
    private let suffix: String

    /// - Parameters:
    ///   - paths: those of the tool.
    ///   - tool: the tool, such as `echo`.
    public init(paths: HostPaths, tool: String) {
        let suffix =
            paths.state == "/var/lib/volt/\(tool)" ? "" : "-\(StableHash.shortText(of: paths.state))"
        self.tool = tool
        self.suffix = suffix
        directory = "\(paths.state)/instances"
        ports = PortTable(paths: paths, tool: tool) { key, socket in
            let program = try Processes.helper("volt-\(tool)--port")
            guard Systemd.current != nil else {
                _ = try Processes.spawnDetached(program, [socket], environment: [:])
                return
            }
            try TransientUnit.run(
                "volt-\(tool)-ports-\(key)\(suffix)",
                properties: ["Type=exec", "Restart=no", "LimitNOFILE=65536"], [program, socket])
        }
    }

    /// An instance as its supervisor has it.
    public func supervised(_ instance: Name) -> SupervisedInstance {
        SupervisedInstance(directory: "\(directory)/\(instance)", title: "instance '\(instance)'")
    }

    /// The digest of what an instance is started from.
    public static func digest(of spec: Settings) throws(VoltError) -> Digest {
        SHA256Hasher.digest(of: try spec.encoded())
    }

    // MARK: For a RolloutRuntime

    /// The instances of a workload, running or not.
    public func of(_ workload: Name) throws(VoltError) -> [Name] {
        guard Files.isDirectory(directory) else { return [] }
        return try Files.list(directory).compactMap { try? Name($0) }.filter {
            self.workload(of: $0) == workload
        }
    }

    /// Starts an instance, and returns when its process was executed.
    ///
    /// - Parameters:
    ///   - instance: one that is not there.
    ///   - workload: the workload that it is of.
    ///   - spec: what the kind starts it from.
    ///   - process: the process.
    ///   - change: changes how it is supervised; a process that ends is started again unless told otherwise.
    /// - Returns: the digest of `spec`.
    public func start(
        _ instance: Name, of workload: Name, from spec: Settings, _ process: ProcessLauncher,
        change: (inout SuperviseSettings) -> Void = { _ in }
    ) throws(VoltError) -> Digest {
        let program = try Processes.helper("volt-\(tool)--run")
        let supervised = self.supervised(instance)
        var supervise = SuperviseSettings(directory: supervised.directory, group: group(of: instance))
        supervise.restart = .always
        supervise.isUnit = Systemd.current != nil
        change(&supervise)
        var settings = Settings()
        supervise.add(to: &settings)
        process.add(to: &settings)
        settings.add("ports", ports.socket(workload.text))
        try Files.makeDirectory(supervised.directory, mode: 0o700)
        try Files.replace("\(supervised.directory)/spec", with: try spec.encoded(), mode: 0o600)
        // From here on it is an instance.
        try Files.replace("\(supervised.directory)/workload", with: workload.text.utf8, mode: 0o600)
        if supervise.isUnit {
            try supervised.prepare(settings)
            var properties = [
                "Type=exec", "Delegate=yes", "KillMode=process",
                "TimeoutStopSec=\((supervise.stopTimeoutMilliseconds + 5_000) / 1000)",
            ]
            if supervise.restart != .no { properties += TransientUnit.restarts }
            try TransientUnit.run(
                group(of: instance), properties: properties,
                [program, "supervise", "\(supervised.directory)/run"])
            try supervised.waitForStart(supervisor: nil)
        } else {
            try supervised.start(program, settings)
        }
        return try Self.digest(of: spec)
    }

    /// The state of an instance, or nil when there is none.
    ///
    /// - Parameter read: reads what the kind started it from.
    public func state<Spec: Sendable>(
        of instance: Name, _ read: (Settings) throws(VoltError) -> Spec
    ) throws(VoltError) -> InstanceState<Spec>? {
        guard workload(of: instance) != nil else { return nil }
        // Port processes that were killed are started again.
        ports.repair { name in (try? Name(name)).flatMap { self.supervised($0).network } }
        let supervised = self.supervised(instance)
        let spec = try Settings(
            decoding: try Files.read("\(supervised.directory)/spec", limit: Settings.limit))
        let now = supervised.now
        var state = InstanceState(
            spec: try read(spec), config: try Self.digest(of: spec), state: now.state, health: now.health)
        state.since = now.since
        state.restarts = now.restarts
        state.exitCode = now.exitCode
        state.problem = now.problem
        if now.state == .exited, !supervised.isDesired { state.stopped = .byHand }
        return state
    }

    /// Points the ports of a workload to an instance, in one step; connections that are open go on.
    ///
    /// - Throws: `VoltError` with code `conflict` when a port is taken, or the instance does not run.
    public func publish(_ list: [PublishedPort], of workload: Name, to instance: Name) throws(VoltError) {
        guard let network = supervised(instance).network else {
            throw VoltError(.conflict, "instance '\(instance)' does not run")
        }
        try ports.point(workload.text, list, to: instance.text, namespace: network)
    }

    /// Waits until the callers of an instance are done, for five seconds at most, stops it and removes it. One that is
    /// not there is no error.
    public func remove(_ instance: Name) throws(VoltError) {
        let supervised = self.supervised(instance)
        if let workload = workload(of: instance), let network = supervised.network {
            if !ports.leads(workload.text, to: instance.text) {
                ports.drain(workload.text, namespace: network, seconds: 5)
            }
        }
        if Files.exists(supervised.directory) {
            try supervised.stop()
            LeftGroups(name: group(of: instance)).clear()
            // In one step: what is left when this is killed is not an instance.
            try Files.move(
                supervised.directory, to: "\(directory)/\(RunRecord.removedPrefix)\(instance)")
        }
        guard Files.isDirectory(directory) else { return }
        for left in try Files.list(directory) where left.hasPrefix(RunRecord.removedPrefix) {
            try Files.removeTree("\(directory)/\(left)")
        }
    }

    /// The last lines that an instance printed.
    public func lastLines(of instance: Name, count: Int) throws(VoltError) -> [(stream: String, line: String)]
    {
        try supervised(instance).lastLog(lines: count).map { ($0.stream, $0.text) }
    }

    private func workload(of instance: Name) -> Name? {
        let bytes = try? Files.read("\(directory)/\(instance)/workload", limit: 64)
        return bytes.flatMap { try? Name(String(decoding: $0, as: UTF8.self)) }
    }

    /// The name of its control groups, and of its unit.
    private func group(of instance: Name) -> String { "volt-\(tool)-\(instance)\(suffix)" }
}
