public import VoltCore
internal import VoltSystem
public import VoltWorkload

/// The record of a supervisor about what it supervises, in the file `state` of the instance's directory.
public struct RunRecord: Sendable, Equatable {
    /// The prefix of directories that were taken out of the instances and are being removed.
    public static let removedPrefix = ".removed-"

    /// `running`, also while the payload is being started; `restarting` when it ended and will be started again; or
    /// `exited`, when it ended for good.
    public var phase = RunState.running
    /// The process id of the supervisor.
    public var supervisor: Int32
    /// Its start time in clock ticks after boot: with the id it names one process.
    public var supervisorStart: UInt64
    /// The process id of the supervisor's child, such as systemd-nspawn, or 0.
    public var main: Int32 = 0
    /// When the payload was started last, in milliseconds since 1970.
    public var started: Int64 = 0
    /// When it ended last, or 0.
    public var finished: Int64 = 0
    /// How it ended last.
    public var code: Int32 = 0
    /// How often it was started again.
    public var restarts: Int
    /// Whether the kernel has killed a process of the instance for want of memory, in the run that ended last.
    public var outOfMemory = false
    /// Whether it ended since somebody asked the supervisor to end it, such as systemd while the host goes down; nil in
    /// records of older versions.
    public var wasAsked: Bool?

    /// - Parameters: see the properties.
    public init(supervisor: Int32, supervisorStart: UInt64, restarts: Int) {
        self.supervisor = supervisor
        self.supervisorStart = supervisorStart
        self.restarts = restarts
    }

    /// Reads the record of an instance; nil when it was never started.
    public init?(in directory: String) {
        guard let bytes = try? Files.read("\(directory)/state", limit: 4096),
            let settings = try? Settings(decoding: bytes),
            let phase = settings.optional("phase").map(RunState.init(rawValue:)),
            [.running, .restarting, .exited].contains(phase),
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
        wasAsked = settings.optional("asked").map { $0 == "1" }
    }

    /// Writes the record of an instance.
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
        if let wasAsked { settings.add("asked", wasAsked ? "1" : "0") }
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
