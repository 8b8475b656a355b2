internal import CVoltSystem
internal import ContainerSandbox
internal import Glibc
internal import VoltCore
internal import VoltSandbox
internal import VoltSupervise
internal import VoltSystem

/// A command in a container that runs: it joins the groups and namespaces of process 1 and gets exactly
/// what the payload has, no capability more.
struct Entry {
    private let settings: ExecSettings
    private var confinement: Confinement

    init(_ settings: ExecSettings) throws(VoltError) {
        self.settings = settings
        confinement = settings.confinement
        confinement.environment = try PayloadSecrets(settings.secrets)
            .added(to: confinement.environment, except: settings.explicit)
    }

    /// Runs the command.
    ///
    /// - Returns: its exit code, or 128 and the number of the signal that ended it.
    mutating func run() throws(VoltError) -> Int32 {
        let leader = settings.leader
        if !settings.readsInput {
            let null = volt_open("/dev/null", O_RDONLY, 0)
            dup2(null, 0)
            close(null)
        }
        let numbers = [SIGCHLD] + PassedSignals.numbers
        let signals = volt_signals(numbers, numbers.count)
        guard signals >= 0 else { throw SystemError.current.during("cannot wait for signals") }
        let process = volt_pidfd_open(leader)
        guard process >= 0 else { throw SystemError.current.during("cannot find the container's process 1") }
        // By their files: the paths of the host are gone once the namespaces are joined.
        var groups: [Int32] = []
        var freezers: [Int32] = []
        for group in settings.groups {
            let descriptor = volt_open(group, O_WRONLY, 0)
            guard descriptor >= 0 else { throw SystemError.current.during("cannot open '\(group)'") }
            groups.append(descriptor)
            for name in FrozenGroup.files {
                let file = volt_open("\(Files.parent(of: group))/\(name)", O_RDONLY, 0)
                if file >= 0 { freezers.append(file) }
            }
        }
        guard volt_setns_process(process) == 0 else {
            throw SystemError.current.during("cannot enter the container")
        }
        // One of the container's own, so that the command finds it below /dev/pts.
        let terminal = settings.hasTerminal ? try Terminal() : nil
        let child = volt_fork()
        if child == 0 { become(terminal, groups, process) }
        guard child > 0 else { throw SystemError.current.during("cannot start a process") }
        for descriptor in groups + [process] { close(descriptor) }
        return (terminal ?? Terminal.none).relay(
            child, signals: signals, isFrozen: { freezers.contains(where: FrozenGroup.isFrozen) })
    }

    /// Becomes the command. Only this process is in the container's groups: whatever happens to those, the one that
    /// waits for it answers to its signals.
    private mutating func become(_ terminal: Terminal?, _ groups: [Int32], _ process: Int32) -> Never {
        _ = volt_die_with_parent()
        terminal?.becomeSession()
        _ = volt_reset_signals()
        do throws(VoltError) {
            for group in groups { try Files.write([UInt8(ascii: "0")], to: group, named: "cgroup.procs") }
            guard volt_setns_cgroup(process) == 0 else {
                throw SystemError.current.during("cannot enter the container")
            }
            let identity = try confinement.resolveUser()
            try confinement.confineSelf()
            let (code, reason) = confinement.become(identity)
            complain(reason)
            _exit(code)
        } catch {
            complain(error.message)
            _exit(125)
        }
    }

    private func complain(_ message: String) {
        let line = Array("volt container: error: \(message)\n".utf8)
        _ = write(2, line, line.count)
    }
}
