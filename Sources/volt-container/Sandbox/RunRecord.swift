public import VoltCore
internal import VoltSystem

/// What a supervisor tells about its container, in the file `state` of the container's directory.
public struct RunRecord: Sendable, Equatable {
    /// Where the container is.
    public enum Phase: String, Sendable, Codable {
        /// The payload runs, or is being started.
        case running
        /// It ended and will be started again.
        case restarting
        /// It ended for good.
        case exited
    }

    /// How the names begin of what was taken out of the containers and is being removed.
    public static let removedPrefix = ".removed-"

    /// Where the container is.
    public var phase = Phase.running
    /// The process id of the supervisor.
    public var supervisor: Int32
    /// Its start time in clock ticks after boot: with the id it names one process.
    public var supervisorStart: UInt64
    /// The process id of systemd-nspawn, or 0.
    public var main: Int32 = 0
    /// When the payload was started last, in milliseconds since 1970.
    public var started: Int64 = 0
    /// When it ended last, or 0.
    public var finished: Int64 = 0
    /// How it ended last.
    public var code: Int32 = 0
    /// How often it was started again.
    public var restarts: Int
    /// Whether the kernel has killed a process of the container for want of memory, in the run that ended last.
    public var outOfMemory = false

    /// - Parameters: see the properties.
    public init(supervisor: Int32, supervisorStart: UInt64, restarts: Int) {
        self.supervisor = supervisor
        self.supervisorStart = supervisorStart
        self.restarts = restarts
    }

    /// Reads the record of a container; nil when it was never started.
    public init?(in directory: String) {
        guard let bytes = try? Files.read("\(directory)/state", limit: 4096),
            let settings = try? Settings(decoding: bytes),
            let phase = settings.optional("phase").flatMap(Phase.init),
            let supervisor: Int32 = try? settings.number("supervisor"),
            let start: UInt64 = try? settings.number("supervisor-start"),
            let main: Int32 = try? settings.number("main"),
            let started: Int64 = try? settings.number("started"),
            let finished: Int64 = try? settings.number("finished"),
            let code: Int32 = try? settings.number("code"),
            let restarts: Int = try? settings.number("restarts")
        else { return nil }
        self.init(supervisor: supervisor, supervisorStart: start, restarts: restarts)
        self.phase = phase
        self.main = main
        self.started = started
        self.finished = finished
        self.code = code
        outOfMemory = settings.flag("out-of-memory")
    }

    /// Writes the record of a container.
    ///
    /// - Parameter durably: whether it must survive a power failure.
    public func write(to directory: String, durably: Bool) throws(VoltError) {
        var settings = Settings()
        settings.add("phase", phase.rawValue)
        settings.add("supervisor", String(supervisor))
        settings.add("supervisor-start", String(supervisorStart))
        settings.add("main", String(main))
        settings.add("started", String(started))
        settings.add("finished", String(finished))
        settings.add("code", String(code))
        settings.add("restarts", String(restarts))
        settings.add("out-of-memory", outOfMemory ? "1" : "0")
        let bytes = try settings.encoded()
        if durably {
            try Files.replace("\(directory)/state", with: bytes, mode: 0o600)
        } else {
            try Files.replaceUnsynced("\(directory)/state", with: bytes)
        }
    }

    /// Whether the supervisor is there.
    public var isSupervised: Bool {
        supervisor > 0 && Processes.startTime(supervisor) == supervisorStart && Processes.isAlive(supervisor)
    }
}
