internal import ContainerSandbox
internal import Glibc
internal import VoltCore
internal import VoltSystem

/// What a supervisor finds that systemd has started in the place of one that was killed.
struct Takeover {
    private let settings: Settings
    private let directory: String
    /// What the one before has told last.
    let record: RunRecord

    /// Nil when this is a start as any other.
    init?(_ settings: Settings, in directory: String) {
        guard let record = RunRecord(in: directory) else { return nil }
        self.settings = settings
        self.directory = directory
        self.record = record
    }

    /// Whether the payload is to run again: it had not ended for good, and nobody has stopped it since.
    var goesOn: Bool {
        record.phase != .exited
            && (try? Files.read("\(directory)/desired", limit: 64)) == Array("running".utf8)
    }

    /// Points the published ports that led to the container's former network to that of this process.
    func pointPorts() {
        for key in ["ports", "workload-ports"] {
            guard let socket = settings.optional(key),
                let bytes = try? Files.read("\(socket).settings", limit: ControlSocket.limit),
                var published = try? Settings(decoding: bytes),
                published.optional("container") == Files.lastComponent(of: directory)
            else { continue }
            published.add("netns", "/proc/\(getpid())/ns/net")
            // A port process that was killed too is started again by the next command.
            if let message = try? published.encoded() { _ = try? ControlSocket.ask(socket, message) }
        }
    }
}
