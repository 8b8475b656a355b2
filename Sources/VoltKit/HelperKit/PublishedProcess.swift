internal import CVoltSystem
internal import Glibc
public import VoltCore
internal import VoltPorts
public import VoltSupervise
internal import VoltSystem
public import VoltWorkload

/// A process of the host in a network of its own, which published ports lead to: the launcher of `volt-<kind>--run` for
/// kinds on `SupervisedInstances`.
///
/// The network is that of the supervisor, so that it outlives the restarts of the process.
public struct PublishedProcess: Launcher, Sendable {
    /// The process.
    public var process: ProcessLauncher
    /// The socket of the port process, or nil.
    public var ports: String?
    private let directory: String

    /// Reads the keys of `ProcessLauncher`, and `ports`.
    public init(_ settings: Settings) throws(VoltError) {
        process = try ProcessLauncher(settings)
        ports = settings.optional("ports")
        directory = try settings.text("directory")
    }

    /// The loop of the check of the process.
    public var health: HealthLoop? { process.health }

    /// Makes the network, in which there is only a loopback.
    public func isolate() throws(VoltError) {
        guard volt_unshare_network() == 0, volt_loopback_up() == 0 else {
            throw SystemError.current.during("cannot make a network namespace")
        }
    }

    /// Becomes the process.
    public func launch(_ child: LaunchedChild) throws(VoltError) -> Never { try process.launch(child) }

    /// Runs a command of a check.
    public func check(_ command: [String]) -> Int32 { process.check(command) }

    /// Points the ports that led to the network of a supervisor that was killed to that of this one.
    public func takenOver() {
        guard let ports else { return }
        PortTable.repoint(
            ports, of: Files.lastComponent(of: directory), namespace: "/proc/\(getpid())/ns/net")
    }
}
