internal import CVoltSystem
internal import Glibc
internal import VoltCore
internal import VoltSystem
internal import VoltWorkload

/// Keeps one payload running: starts it by its launcher, keeps its output, checks its health, starts it again by the
/// restart policy, and tells in a file where it is.
struct Supervisor<L: Launcher> {
    private let settings: SuperviseSettings
    private let keepsOutput: Bool
    private let speaker: String
    private let directory: String
    private let groups: ControlGroups
    private let signals: Int32
    private let statusFile: Int32
    private var launcher: L
    private var record: RunRecord
    private var log: OutputLog?
    /// The record of a supervisor that was killed, in whose place systemd has started this one.
    private let before: RunRecord?
    private var status = PayloadStatus()
    private var health: HealthLoop?

    init(_ settings: SuperviseSettings, launcher: L, keepsOutput: Bool, speaker: String) throws(VoltError) {
        self.settings = settings
        self.keepsOutput = keepsOutput
        self.speaker = speaker
        self.launcher = launcher
        directory = settings.directory
        record = RunRecord(
            supervisor: getpid(), supervisorStart: Processes.startTime(getpid()) ?? 0,
            restarts: settings.restarts)
        before = RunRecord(in: directory)
        let goesOn = before.map { Self.goesOn(after: $0, in: settings.directory) } ?? false
        if let before { record.restarts = max(record.restarts, before.restarts + (goesOn ? 1 : 0)) }
        // SIGCHLD too: the loop below waits for everything in one place.
        let numbers = [SIGCHLD] + PassedSignals.numbers
        signals = volt_signals(numbers, numbers.count)
        guard signals >= 0 else { throw SystemError.current.during("cannot wait for signals") }
        try launcher.isolate()
        let isInUnit = settings.isUnit && (keepsOutput || settings.hasMemoryLimitOfUnit)
        func makeGroups() throws(VoltError) -> ControlGroups {
            try ControlGroups(name: settings.group, limits: settings.limits, isInUnit: isInUnit)
        }
        if before != nil {
            // What the one before has left, and its rules for devices. Those of version 1 are in a hierarchy that only
            // the launcher joins.
            var left = try makeGroups()
            _ = left.join(controller: "devices")
            left.kill()
            left.remove()
        }
        var groups = try makeGroups()
        try self.launcher.begin(&groups)
        self.groups = groups
        statusFile = volt_open("\(directory)/status", O_RDWR | O_CREAT | O_TRUNC, 0o600)
        guard statusFile >= 0 else { throw SystemError.current.during("cannot open '\(directory)/status'") }
        if keepsOutput { log = try OutputLog(path: "\(directory)/log", copies: settings.isUnit) }
        if goesOn { launcher.takenOver() }
    }

    /// Whether the payload is to run again after a supervisor was killed: it had not ended for good, and nobody has
    /// stopped it since.
    private static func goesOn(after record: RunRecord, in directory: String) -> Bool {
        record.phase != .exited && SupervisedInstance(directory: directory, title: "").isDesired
    }

    /// Runs until the payload has ended for good.
    ///
    /// - Returns: its exit code.
    mutating func run() throws(VoltError) -> Int32 {
        if let before, !Self.goesOn(after: before, in: directory) {
            if before.phase != .exited { record.code = 128 + SIGKILL }
            return try end(before)
        }
        var delay: Int64 = 100
        while true {
            let started = SystemClock().now().milliseconds
            let (code, stopped) = try runOnce(started: started)
            let again = !stopped && wantsRestart(after: code)
            record.phase = again ? .restarting : .exited
            record.code = code
            record.wasAsked = stopped
            record.finished = SystemClock().now().milliseconds
            record.main = 0
            try writeRecord()
            guard again else {
                finish()
                return code
            }
            // Ten seconds of life make it a new problem.
            if record.finished - started >= 10_000 { delay = 100 }
            if try pause(delay) {
                record.phase = .exited
                record.wasAsked = true
                try writeRecord()
                finish()
                return code
            }
            delay = min(delay * 2, 60_000)
            record.restarts += 1
        }
    }

    /// Ends in the place of a supervisor that was killed, when there is nothing left to run.
    private mutating func end(_ before: RunRecord) throws(VoltError) -> Int32 {
        if before.phase == .exited {
            record.code = before.code
            record.wasAsked = before.wasAsked
            record.finished = before.finished
        } else {
            record.finished = SystemClock().now().milliseconds
        }
        record.started = before.started
        record.phase = .exited
        try writeRecord()
        finish()
        return 0
    }

    private func wantsRestart(after code: Int32) -> Bool {
        switch settings.restart {
        case .always: true
        case .onFailure: code != 0
        case .no: false
        }
    }

    private func finish() {
        groups.kill()
        groups.remove()
        launcher.finish()
        if settings.removesDirectory { removeDirectory() }
    }

    /// Takes the instance away in one step first: whatever is left when this is killed is not an instance.
    private func removeDirectory() {
        let removed = "\(Files.parent(of: directory))/\(RunRecord.removedPrefix)\(getpid())"
        guard rename(directory, removed) == 0 else { return }
        if let path = settings.lock, let lock = try? FileLock.tryLock(path) {
            if !Files.exists(directory) { lock.removeFile(path) }
        }
        try? Files.removeTree(removed)
    }

    /// Waits; true when a signal asked to stop meanwhile.
    private func pause(_ milliseconds: Int64) throws(VoltError) -> Bool {
        let end = ContinuousClock.now + .milliseconds(milliseconds)
        while true {
            let left = (end - ContinuousClock.now).milliseconds
            guard left > 0 else { return false }
            var polls = pollfd(fd: signals, events: Int16(POLLIN), revents: 0)
            poll(&polls, 1, Int32(left))
            while true {
                let number = volt_next_signal(signals)
                if number <= 0 { break }
                if stops(number) { return true }
            }
        }
    }

    /// Whether a signal asks this process to end the payload. In the foreground others go to the payload as they
    /// are, in the background they mean nothing.
    private func stops(_ number: Int32) -> Bool {
        number == SIGTERM || (keepsOutput && [SIGINT, SIGHUP, SIGQUIT].contains(number))
    }

    private mutating func runOnce(started: Int64) throws(VoltError) -> (code: Int32, stopped: Bool) {
        status = PayloadStatus(phase: .launching)
        status.write(to: statusFile)
        record.started = started
        // Before the child, which is in the limits of the payload.
        do throws(VoltError) { try launcher.prepare() } catch {
            // Before the status: whoever reads that looks for this supervisor.
            record.phase = .running
            try writeRecord()
            PayloadStatus(phase: .failed, code: 125, message: error.message).write(to: statusFile)
            let line = "\(speaker): error: \(error.message)"
            log?.add(line, "stderr")
            return (125, false)
        }
        var output: [Int32] = [-1, -1]
        var errors: [Int32] = [-1, -1]
        var executed: [Int32] = [-1, -1]
        guard !keepsOutput || volt_pipe(&output) == 0 && volt_pipe(&errors) == 0,
            launcher.reportsStatus || volt_pipe(&executed) == 0
        else { throw SystemError.current.during("cannot make a pipe") }
        let killedBefore = groups.memory.kills
        let (child, isInside) = groups.fork()
        if child == 0 { launch(output[1], errors[1], executed[1], isInside: isInside) }
        for end in [output[1], errors[1], executed[1]] where end >= 0 { close(end) }
        guard child > 0 else { throw SystemError.current.during("cannot start a process") }
        record.phase = .running
        record.main = child
        try writeRecord()
        if executed[0] >= 0 { noteExecution(executed[0]) }
        let result = watch(child, output[0], errors[0])
        for end in [output[0], errors[0]] where end >= 0 { close(end) }
        record.outOfMemory = groups.memory.kills > killedBefore
        if groups.kill() { launcher.cleared() }
        if !launcher.reportsStatus, status.phase == .running {
            status.phase = .exited
            status.code = result.code
            status.write(to: statusFile)
        }
        // The codes of a child such as nspawn say less than the record of what runs in it.
        let known = PayloadStatus(decoding: (try? Files.read("\(directory)/status")) ?? [])
        let code =
            switch known?.phase {
            case .exited, .failed: known?.code ?? result.code
            case .running: 128 + SIGKILL
            // Stopped before the payload was there.
            default: result.stopped ? 128 + SIGTERM : ExitCode.runtimeFailed.rawValue
            }
        if record.outOfMemory { tellOutOfMemory(code, known ?? PayloadStatus()) }
        return (code, result.stopped)
    }

    private func writeRecord() throws(VoltError) {
        try record.write(to: directory, durably: !settings.removesDirectory)
    }

    /// Waits until the child was executed, which closes a pipe, or has failed, which it says there.
    private mutating func noteExecution(_ pipe: Int32) {
        defer { close(pipe) }
        var byte: UInt8 = 0
        if read(pipe, &byte, 1) > 0 {
            status.phase = .failed
            return
        }
        health = launcher.health
        status.phase = .running
        status.started = SystemClock().now().milliseconds
        status.health = health == nil ? .none : .starting
        status.write(to: statusFile)
    }

    /// Says that the kernel has killed a process of the instance for want of memory.
    private mutating func tellOutOfMemory(_ code: Int32, _ known: PayloadStatus) {
        var status = known
        status.phase = .exited
        status.code = code
        status.message = "ran out of memory"
        if let limit = groups.memory.limit { status.message += " (limit \(ByteSize(bytes: limit)))" }
        status.write(to: statusFile)
        // "volt container: the container ran out of memory"
        let subject = speaker.split(separator: " ").last ?? "payload"
        let said = "\(speaker): the \(subject) \(status.message)"
        log?.add(said, "stderr")
        guard !keepsOutput, code != 0 else { return }
        let line = Array("\(speaker): error: the \(subject) \(status.message)\n".utf8)
        _ = write(2, line, line.count)
    }

    private func launch(_ output: Int32, _ errors: Int32, _ executed: Int32, isInside: Bool) -> Never {
        if keepsOutput || !settings.readsInput {
            let null = volt_open("/dev/null", O_RDONLY, 0)
            dup2(null, 0)
        }
        if keepsOutput {
            dup2(output, 1)
            dup2(errors, 2)
        } else {
            // What a terminal sends to everything in the foreground goes to the supervisor alone, which passes it on.
            setpgid(0, 0)
        }
        do throws(VoltError) {
            try launcher.launch(LaunchedChild(status: statusFile, groups: groups, isInside: isInside))
        } catch {
            // Only a payload that could not be executed has a code of its own.
            let code: Int32 = [.cannotRun, .commandNotFound].contains(error.code) ? error.code.rawValue : 125
            PayloadStatus(phase: .failed, code: code, message: error.message).write(to: statusFile)
            let line = Array("\(speaker): error: \(error.message)\n".utf8)
            _ = write(2, line, line.count)
            if executed >= 0 { _ = write(executed, line, 1) }
            _exit(code)
        }
    }

    /// The events of a child while it runs.
    private struct Watch {
        let child: Int32
        var stopped = false
        var passed: [Int32] = []
        var killAt: ContinuousClock.Instant?
        var code: Int32?
    }

    /// Keeps the output, checks the health and passes the wish to stop on, until the child has ended.
    private mutating func watch(_ child: Int32, _ output: Int32, _ errors: Int32) -> (
        code: Int32, stopped: Bool
    ) {
        var watch = Watch(child: child)
        while true {
            var polls = [
                pollfd(fd: signals, events: Int16(POLLIN), revents: 0),
                pollfd(fd: output, events: Int16(POLLIN), revents: 0),
                pollfd(fd: errors, events: Int16(POLLIN), revents: 0),
            ]
            var waits: [Int64] = watch.passed.isEmpty ? [] : [5]
            if let at = watch.killAt { waits.append(max(0, (at - ContinuousClock.now).milliseconds)) }
            if let health { waits.append(health.wait(now: HealthLoop.now)) }
            poll(&polls, 3, waits.min().map { Int32(clamping: $0) } ?? -1)
            if polls[1].revents != 0 { log?.read(output, "stdout") }
            if polls[2].revents != 0 { log?.read(errors, "stderr") }
            if let at = watch.killAt, ContinuousClock.now >= at {
                watch.killAt = nil
                groups.kill()
                kill(child, SIGKILL)
            }
            takeSignals(&watch)
            if let code = watch.code {
                health = nil
                log?.drain(output, "stdout")
                log?.drain(errors, "stderr")
                return (code, watch.stopped)
            }
            if !watch.passed.isEmpty { pass(&watch.passed, child) }
            tick()
        }
    }

    private mutating func takeSignals(_ watch: inout Watch) {
        while true {
            let number = volt_next_signal(signals)
            if number <= 0 { return }
            if number == SIGCHLD {
                reap(&watch)
            } else if stops(number) {
                watch.stopped = true
                // To the payload itself, once there is one: nspawn would say something about it in the output, and
                // hand it to a process 1 that cannot catch it yet.
                watch.passed.append(SIGTERM)
                let grace = settings.stopTimeoutMilliseconds
                if watch.killAt == nil { watch.killAt = .now + .milliseconds(grace) }
            } else if !keepsOutput {
                watch.passed.append(number)
            }
        }
    }

    /// Takes the ends of the child and of tries of the health check.
    private mutating func reap(_ watch: inout Watch) {
        var value: Int32 = 0
        while true {
            let pid = waitpid(-1, &value, WNOHANG)
            guard pid > 0 else { return }
            let ended = volt_exited(value) != 0 ? volt_exit_status(value) : 128 + volt_term_signal(value)
            if pid == watch.child {
                watch.code = ended
            } else if health?.ended(pid, code: ended, now: HealthLoop.now, status: &status) == true {
                status.write(to: statusFile)
            }
        }
    }

    private mutating func tick() {
        guard health != nil else { return }
        let launcher = launcher
        let changed = health?.tick(now: HealthLoop.now, status: &status) { launcher.check($0) }
        if changed == true { status.write(to: statusFile) }
    }

    /// Hands signals to the payload; those that come before it runs wait for it.
    private func pass(_ numbers: inout [Int32], _ child: Int32) {
        let payload = PayloadStatus(decoding: (try? Files.read("\(directory)/status")) ?? [])
        guard payload?.phase == .running, let receiver = launcher.receiver(of: child) else { return }
        for number in numbers { kill(receiver, number) }
        numbers = []
    }
}
