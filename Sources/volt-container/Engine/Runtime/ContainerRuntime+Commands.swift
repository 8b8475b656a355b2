internal import ContainerSandbox
internal import Glibc
public import VoltCore
internal import VoltSupervise
internal import VoltSystem
internal import VoltSystemd
internal import VoltWorkload

/// Commands that run in a container and end with it: in the foreground, as a step of a build, and in one that runs.
extension ContainerRuntime {
    /// Runs a container once in the foreground of this process, which the helper replaces; its ports are
    /// not published.
    ///
    /// - Parameter stdin: whether the payload reads what this process would.
    /// - Throws: `VoltError` also when a limit cannot be set.
    public func becomeForeground(_ spec: ContainerSpec, stdin: Bool) throws(VoltError) -> Never {
        // The helper has them for the payload: one that came before would end half a container.
        PassedSignals.hold()
        // Where systemd owns the control groups, it sets the limits here as it does for a unit.
        if usesSystemd, spec.limits != ResourceLimits() { try enterScope(spec) }
        try create(spec) { $0.supervise.readsInput = stdin }
        do throws(VoltError) { try fillVolumes(of: spec) } catch {
            if spec.removeWhenDone { try? remove(spec.name, force: true) }
            throw error
        }
        try Files.replaceUnsynced("\(directory(spec.name))/desired", with: "stopped".utf8)
        PayloadStatus().write(toFile: "\(directory(spec.name))/status")
        try Processes.execute(
            helper, ["foreground", "\(directory(spec.name))/run"], environment: environment,
            keepsBlocked: true)
    }

    private func enterScope(_ spec: ContainerSpec) throws(VoltError) {
        let limits = TransientUnit.Limits(
            memory: spec.limits.memory, tasks: spec.limits.unitTasks, percent: spec.limits.unitPercent)
        do throws(VoltError) { try TransientUnit.enterScope(id(spec.name.text), limits: limits) } catch {
            throw VoltError(
                error.code, "cannot limit the container: \(error.message)",
                hint: "run it with --detach, or without limits")
        }
    }

    /// The signals that a command in the foreground passes to the payload.
    public var passedSignals: [Int32] { PassedSignals.numbers }

    /// Sends a signal to the payload of a container; nothing happens when none runs.
    public func signal(_ name: Name, _ number: Int32) throws(VoltError) {
        guard instance(name).status?.phase == .running, let leader = try state(name).pid else { return }
        kill(leader, number)
    }

    /// Runs a container once with another writable layer, and gives its lines and exit code.
    func runStep(
        _ spec: ContainerSpec, upper: String, output: @escaping @Sendable (String, String) -> Void
    ) throws(VoltError) -> Int32 {
        try AccountNumber.check(spec.user)
        let directory = "\(paths.state)/containers/.step-\(getpid())-\(UInt32.random(in: 0...UInt32.max))"
        let work = "\(Files.parent(of: upper))/.work-\(UInt32.random(in: 0...UInt32.max))"
        try Files.makeDirectory("\(directory)/stage")
        try Files.makeDirectory(work)
        defer {
            try? Files.removeTree(directory)
            try? Files.removeTree(work)
        }
        try write(spec, to: directory, upper: upper, work: work, change: { $0.runStays = true })
        let outcome = try Child.start(helper, ["foreground", "\(directory)/run"], environment: environment)
            .finish(limit: .seconds(3600), stop: { Task.isCancelled }) { stream, line in
                output(stream.rawValue, line)
            }
        guard case .exited(let code) = outcome else {
            throw VoltError(
                .runtimeFailed, "the step '\(spec.command.joined(separator: " "))' ended with \(outcome)")
        }
        return code
    }

    /// Becomes a command in a container that runs.
    public func becomeCommand(
        _ name: Name, command: [String], environment extra: [String: String], user: String?,
        directory workingDirectory: String?, stdin: Bool, terminal: Bool
    ) throws(VoltError) -> Never {
        if let user { try AccountNumber.check(user) }
        let state = try state(name)
        guard state.state == .running, let leader = state.pid else {
            throw VoltError(.conflict, "container '\(name)' does not run")
        }
        // Until process 1 is its own, what would be entered is half of a container.
        guard instance(name).status?.phase == .running else {
            throw VoltError(
                .conflict, "container '\(name)' is starting", hint: "run the command again in a moment")
        }
        guard !ProcessTable.isFrozen(leader) else {
            throw VoltError(
                .conflict, "container '\(name)' is frozen",
                hint: "thaw what has frozen it, or stop the container")
        }
        let spec = state.spec
        var variables = spec.environment.merging(extra) { $1 }
        if terminal, variables["TERM"] == nil { variables["TERM"] = environment["TERM"] ?? "xterm" }
        var settings = ExecSettings(
            confinement: try NspawnCommand(spec: spec).payload(
                command, environment: variables, user: user ?? spec.user,
                workingDirectory ?? spec.workingDirectory),
            leader: leader, groups: ProcessTable.groupFiles(of: leader))
        settings.readsInput = stdin || terminal
        settings.hasTerminal = terminal
        settings.secrets = try madeSecrets(of: spec)
        settings.explicit = extra.keys.sorted()
        let file = "\(paths.runtime)/exec-\(getpid())"
        try Files.replaceUnsynced(file, with: try settings.encoded())
        try Processes.execute(helper, ["exec", file], environment: environment, readOnly: true)
    }
}
