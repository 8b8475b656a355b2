internal import Glibc
public import VoltCore
internal import VoltSystem
public import VoltWorkload

/// Something that a supervisor keeps running, seen from the engine: its start, its state, its log and its end.
public struct SupervisedInstance: Sendable {
    /// The directory of the instance.
    public let directory: String
    /// The word and the name of the instance, for errors, such as `container 'web'`.
    private let title: String

    /// - Parameters: see the properties.
    public init(directory: String, title: String) {
        self.directory = directory
        self.title = title
    }

    /// The record of the supervisor; nil when the instance was never started.
    public var record: RunRecord? { RunRecord(in: directory) }

    /// The state of the payload; nil when it was never started.
    public var status: PayloadStatus? {
        PayloadStatus(decoding: (try? Files.read("\(directory)/status", limit: 4096)) ?? [])
    }

    /// Whether the payload was executed and has not ended.
    public var isRunning: Bool { record?.isSupervised == true && status?.phase == .running }

    /// The lines that the payload has printed and still prints, from the oldest one on that is kept.
    public func log() -> LogReader { LogReader(directory: directory) }

    /// The last lines that it printed.
    public func lastLog(lines count: Int) throws(VoltError) -> [LogLine] {
        var reader = log()
        var last: [LogLine] = []
        while let lines = try reader.next() {
            last += lines
            if last.count / 2 > count { last.removeFirst(last.count - count) }
        }
        return last.suffix(count)
    }

    /// Starts a supervisor in a session of its own, and returns when the payload was executed.
    ///
    /// - Parameters:
    ///   - program: the tool's `volt-<tool>--run`.
    ///   - settings: `SuperviseSettings` and those of the launcher.
    public func start(_ program: String, _ settings: Settings) throws(VoltError) {
        try prepare(settings)
        let supervisor = try Processes.spawnDetached(
            program, ["supervise", "\(directory)/run"], environment: ["PATH": "/usr/sbin:/usr/bin:/sbin:/bin"]
        )
        try waitForStart(supervisor: supervisor)
    }

    /// Writes what the supervisor reads, for one that is started by other means, such as a unit of systemd.
    ///
    /// - Parameter settings: as those of `start`.
    public func prepare(_ settings: Settings) throws(VoltError) {
        try Files.makeDirectory(directory, mode: 0o700)
        try Files.replace("\(directory)/run", with: try settings.encoded(), mode: 0o600)
        try setDesired(true)
        try forget()
    }

    /// Whether it is meant to run: it was started, and nobody has stopped it since. A supervisor that systemd starts in
    /// the place of one that was killed goes by this.
    public var isDesired: Bool {
        (try? Files.read("\(directory)/desired", limit: 64)) == Array("running".utf8)
    }

    /// Notes whether it is meant to run.
    public func setDesired(_ isDesired: Bool) throws(VoltError) {
        try Files.replace(
            "\(directory)/desired", with: (isDesired ? "running" : "stopped").utf8, mode: 0o600)
    }

    /// Forgets the run before, so that `waitForStart` sees the next one.
    public func forget() throws(VoltError) {
        try Files.remove("\(directory)/state")
        PayloadStatus().write(toFile: "\(directory)/status")
    }

    /// Waits until the payload was executed, for 30 seconds at most.
    ///
    /// - Parameter supervisor: its process id; nil when systemd has started it.
    /// - Throws: `VoltError` with code `runtimeFailed`, `cannotRun` or `commandNotFound` when it could not be.
    public func waitForStart(supervisor: Int32?) throws(VoltError) {
        let deadline = ContinuousClock.now + .seconds(30)
        while true {
            let payload = status
            switch payload?.phase {
            case .running, .exited:
                // The supervisor has its record on the disk first: without one this is what never ran.
                if record != nil || !Files.exists(directory) { return }
            case .failed:
                let code = ExitCode(rawValue: payload?.code ?? 125) ?? .runtimeFailed
                throw VoltError(code, "cannot start \(title): \(payload?.message ?? "")")
            default: break
            }
            if let record, record.phase == .exited {
                let last = (try? lastLog(lines: 1))?.first?.text ?? "it ended with \(record.code)"
                throw VoltError(.runtimeFailed, "cannot start \(title): \(last)")
            }
            if let supervisor, !Processes.isAlive(supervisor), !Files.exists("\(directory)/state") {
                throw VoltError(.runtimeFailed, "cannot start \(title): its supervisor died")
            }
            guard ContinuousClock.now < deadline else {
                throw VoltError(.runtimeFailed, "\(title) did not start within 30 s")
            }
            usleep(1_000)
        }
    }

    /// How long a supervisor may take for its own work.
    private static let ownTime = Duration.seconds(10)

    /// Asks the supervisor to end the payload, which it kills when that takes too long, and waits until it is gone.
    ///
    /// - Parameters:
    ///   - milliseconds: how long the payload may take.
    ///   - atOnce: the process to kill first; nil when the payload is asked to end.
    /// - Returns: whether the supervisor has ended by itself. Otherwise it was killed, and its control groups are left
    ///   (`LeftGroups`).
    @discardableResult
    public func stop(within milliseconds: Int64 = 10_000, atOnce: Int32? = nil) throws(VoltError) -> Bool {
        if isDesired { try setDesired(false) }
        guard let record, record.isSupervised else { return true }
        for signal in [SIGTERM, SIGCONT] { kill(record.supervisor, signal) }
        if let atOnce { kill(atOnce, SIGKILL) }
        // It kills a payload that takes longer than that, and needs a moment itself.
        if hasEnded(record, within: .milliseconds(milliseconds) + Self.ownTime) { return true }
        kill(record.supervisor, SIGKILL)
        guard hasEnded(record, within: Self.ownTime) else {
            throw VoltError(
                .failed,
                "cannot stop \(title): its supervisor, process \(record.supervisor), does not end",
                hint: "it waits for the kernel, such as for a disk; run the command again when that is back")
        }
        return false
    }

    private func hasEnded(_ record: RunRecord, within time: Duration) -> Bool {
        let deadline = ContinuousClock.now + time
        while record.isSupervised {
            guard ContinuousClock.now < deadline else { return false }
            usleep(2_000)
        }
        return true
    }
}
