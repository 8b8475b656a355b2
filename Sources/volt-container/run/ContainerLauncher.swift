internal import CVoltSystem
internal import ContainerSandbox
internal import Glibc
internal import VoltCore
internal import VoltPorts
internal import VoltSandbox
internal import VoltSupervise
internal import VoltSystem

/// Starts a container by systemd-nspawn. The supervisor lives in the network namespace of the container, which so
/// outlives the payload's restarts.
struct ContainerLauncher: Launcher {
    private let settings: RunSettings
    private var devices: DeviceRules?
    private var secrets: PayloadSecrets?

    init(_ settings: RunSettings) { self.settings = settings }

    /// Process 1 of the container checks the health, and writes the status.
    var reportsStatus: Bool { true }

    func isolate() throws(VoltError) {
        guard settings.hasOwnNetwork else { return }
        guard volt_unshare_network() == 0, volt_loopback_up() == 0 else {
            throw SystemError.current.during("cannot make a network namespace")
        }
    }

    mutating func begin(_ groups: inout ControlGroups) throws(VoltError) {
        if let rules = DeviceRules(unified: groups.unified) {
            devices = rules
        } else if let directory = groups.join(controller: "devices"),
            let rules = DeviceRules(legacy: directory)
        {
            devices = rules
        } else {
            throw VoltError(
                .failed, "this host has no control group that keeps the container from devices",
                hint: "mount cgroup2 at /sys/fs/cgroup, on a kernel with CONFIG_CGROUP_BPF")
        }
    }

    mutating func prepare() throws(VoltError) { secrets = try PayloadSecrets(settings.secrets) }

    func launch(_ child: LaunchedChild) throws(VoltError) -> Never {
        guard let devices, let secrets else { throw VoltError(.failed, "the container is not prepared") }
        var told = try InitSettings(decoding: try Files.read(settings.shim, limit: InitSettings.limit))
        // Control groups that the user mounts into the container are the payload's to write to.
        for (mount, target) in zip(settings.mounts.dropFirst(), settings.targets)
        where !mount.hasPrefix("ro:") { told.writable.append(target) }
        let imageRun = ImageRun(stays: settings.runStays)
        told.imageRun = imageRun
        told.confinement.environment = secrets.added(to: told.confinement.environment)
        let shim = try inMemory(told)
        try child.enterGroups()
        try Launch(
            settings: settings, secrets: secrets, shimSettings: shim, status: child.status, devices: devices,
            imageRun: imageRun
        ).run()
    }

    /// Settings in a file in memory, to be read by a process that inherits it.
    private func inMemory(_ settings: InitSettings) throws(VoltError) -> Int32 {
        let descriptor = volt_memfd("settings")
        guard descriptor >= 0 else { throw SystemError.current.during("cannot make a file in memory") }
        try Files.write(try settings.encoded(), to: descriptor, named: "settings")
        lseek(descriptor, 0, SEEK_SET)
        return descriptor
    }

    /// Process 1 of the container: nspawn would say something about a signal in the output.
    func receiver(of child: Int32) -> Int32? { PassedSignals.leader(of: child) }

    func cleared() { devices?.lift() }

    /// Points the published ports that led to the container's former network to that of this process.
    func takenOver() {
        for socket in [settings.ports, settings.workloadPorts].compactMap(\.self) {
            PortTable.repoint(
                socket, of: Files.lastComponent(of: settings.supervise.directory),
                namespace: "/proc/\(getpid())/ns/net")
        }
    }

    /// The ports of a container that is of no workload end with it.
    func finish() {
        guard let socket = settings.ports else { return }
        _ = try? ControlSocket.ask(socket, .quit)
        unlink(socket)
    }
}
