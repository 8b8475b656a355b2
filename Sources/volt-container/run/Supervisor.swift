internal import CVoltSystem
internal import ContainerSandbox
internal import Glibc
internal import VoltCore
internal import VoltSandbox
internal import VoltSystem

/// Keeps one container running: starts systemd-nspawn, keeps its output, starts it again by the restart
/// policy, and tells in a file where it is. It lives in the network namespace of the container, which so
/// outlives the payload's restarts.
struct Supervisor {
    private let settings: Settings
    private let keepsOutput: Bool
    private let directory: String
    private let groups: ControlGroups
    private let signals: Int32
    private let status: Int32
    private var record: RunRecord
    private var log: OutputLog?
    private let takeover: Takeover?

    init(_ settings: Settings, keepsOutput: Bool) throws(VoltError) {
        self.settings = settings
        self.keepsOutput = keepsOutput
        directory = try settings.text("directory")
        record = RunRecord(
            supervisor: getpid(), supervisorStart: Processes.startTime(getpid()) ?? 0,
            restarts: Int(settings.optional("restarts") ?? "0") ?? 0)
        takeover = Takeover(settings, in: directory)
        if let takeover {
            let number = record.restarts
            record.restarts = max(number, takeover.record.restarts + (takeover.goesOn ? 1 : 0))
        }
        // SIGCHLD too: the loop below waits for everything in one place.
        let numbers = [SIGCHLD] + PassedSignals.numbers
        signals = volt_signals(numbers, numbers.count)
        guard signals >= 0 else { throw SystemError.current.during("cannot wait for signals") }
        if settings.flag("own-network") {
            guard volt_unshare_network() == 0, volt_loopback_up() == 0 else {
                throw SystemError.current.during("cannot make a network namespace")
            }
        }
        let group = try settings.text("group")
        let isInUnit = settings.flag("journal") && (keepsOutput || settings.flag("memory-by-unit"))
        if takeover != nil {
            // What the one before has left, and its rules for devices.
            let left = try ControlGroups(name: group, limits: settings, isInUnit: isInUnit)
            left.kill()
            left.remove()
        }
        groups = try ControlGroups(name: group, limits: settings, isInUnit: isInUnit)
        status = volt_open("\(directory)/status", O_RDWR | O_CREAT | O_TRUNC, 0o600)
        guard status >= 0 else { throw SystemError.current.during("cannot open '\(directory)/status'") }
        if keepsOutput { log = try OutputLog(path: "\(directory)/log", copies: settings.flag("journal")) }
        if takeover?.goesOn == true { takeover?.pointPorts() }
    }

    /// Runs until the payload has ended for good.
    ///
    /// - Returns: its exit code.
    mutating func run() throws(VoltError) -> Int32 {
        if let takeover, !takeover.goesOn {
            if takeover.record.phase != .exited { record.code = 128 + SIGKILL }
            return try end(takeover.record)
        }
        var delay: Int64 = 100
        while true {
            let started = SystemClock().now().milliseconds
            let (code, stopped) = try runOnce(started: started)
            let again = !stopped && wantsRestart(after: code)
            record.phase = again ? .restarting : .exited
            record.code = code
            record.finished = SystemClock().now().milliseconds
            record.main = 0
            try record.write(to: directory, durably: !settings.flag("remove"))
            guard again else {
                finish()
                return code
            }
            // Ten seconds of life make it a new problem.
            if record.finished - started >= 10_000 { delay = 100 }
            if try pause(delay) {
                record.phase = .exited
                try record.write(to: directory, durably: !settings.flag("remove"))
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
            record.finished = before.finished
        } else {
            record.finished = SystemClock().now().milliseconds
        }
        record.started = before.started
        record.phase = .exited
        try record.write(to: directory, durably: !settings.flag("remove"))
        finish()
        return 0
    }

    private func wantsRestart(after code: Int32) -> Bool {
        switch settings.optional("restart") {
        case "always": true
        case "on-failure": code != 0
        default: false
        }
    }

    private func finish() {
        groups.kill()
        groups.remove()
        // The ports of a container that is of no workload end with it.
        if let socket = settings.optional("ports") {
            var quit = Settings()
            quit.add("verb", "quit")
            if let message = try? quit.encoded() { _ = try? ControlSocket.ask(socket, message) }
            unlink(socket)
        }
        if settings.flag("remove") { removeContainer() }
    }

    /// Takes the container away in one step first: whatever is left when this is killed is no container.
    private func removeContainer() {
        let removed = "\(Files.parent(of: directory))/\(RunRecord.removedPrefix)\(getpid())"
        guard rename(directory, removed) == 0 else { return }
        if let path = settings.optional("lock"), let lock = try? FileLock.tryLock(path) {
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

    /// Whether a signal asks this process to end the container. In the foreground others go to the payload as they
    /// are, in the background they mean nothing.
    private func stops(_ number: Int32) -> Bool {
        number == SIGTERM || (keepsOutput && [SIGINT, SIGHUP, SIGQUIT].contains(number))
    }

    private mutating func runOnce(started: Int64) throws(VoltError) -> (code: Int32, stopped: Bool) {
        PayloadStatus(phase: .launching).write(to: status)
        var output: [Int32] = [-1, -1]
        var errors: [Int32] = [-1, -1]
        if keepsOutput, volt_pipe(&output) != 0 || volt_pipe(&errors) != 0 {
            throw SystemError.current.during("cannot make a pipe")
        }
        // Before the child, which is in the container's limits.
        let secrets: PayloadSecrets
        do throws(VoltError) { secrets = try PayloadSecrets(settings) } catch {
            for end in output + errors where end >= 0 { close(end) }
            // Before the status: whoever reads that looks for this supervisor.
            record.phase = .running
            record.started = started
            try record.write(to: directory, durably: !settings.flag("remove"))
            PayloadStatus(phase: .failed, code: 125, message: error.message).write(to: status)
            log?.add("volt container: error: \(error.message)", "stderr")
            return (125, false)
        }
        let killedBefore = groups.memory.kills
        let (child, isInside) = groups.fork()
        if child == 0 { launch(output[1], errors[1], secrets, isInside: isInside) }
        for end in [output[1], errors[1]] where end >= 0 { close(end) }
        guard child > 0 else { throw SystemError.current.during("cannot start a process") }
        record.phase = .running
        record.main = child
        record.started = started
        try record.write(to: directory, durably: !settings.flag("remove"))
        let result = watch(child, output[0], errors[0])
        for end in [output[0], errors[0]] where end >= 0 { close(end) }
        record.outOfMemory = groups.memory.kills > killedBefore
        if groups.kill() { groups.devices.lift() }
        // nspawn's own codes say less than the shim's record.
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

    /// Says that the kernel has killed a process of the container for want of memory.
    private mutating func tellOutOfMemory(_ code: Int32, _ known: PayloadStatus) {
        var status = known
        status.phase = .exited
        status.code = code
        status.message = "ran out of memory"
        if let limit = groups.memory.limit { status.message += " (limit \(ByteSize(bytes: limit)))" }
        status.write(to: self.status)
        log?.add("volt container: the container \(status.message)", "stderr")
        guard !keepsOutput, code != 0 else { return }
        let line = Array("volt container: error: the container \(status.message)\n".utf8)
        _ = write(2, line, line.count)
    }

    private func launch(
        _ output: Int32, _ errors: Int32, _ secrets: PayloadSecrets, isInside: Bool
    ) -> Never {
        if keepsOutput || !settings.flag("stdin") {
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
            var told = try Settings(
                decoding: try Files.read(try settings.text("shim"), limit: Settings.limit))
            // Control groups that the user mounts into the container are the payload's to write to.
            for (mount, target) in zip(settings.all("mount").dropFirst(), settings.all("target"))
            where !mount.hasPrefix("ro:") { told.add("writable", target) }
            let imageRun = ImageRun(stays: settings.flag("run-stays"))
            imageRun.add(to: &told)
            let shim = try PayloadSecrets.inMemory(secrets.added(to: told))
            try groups.join(isInside: isInside)
            try Launch(
                settings: settings, secrets: secrets, shimSettings: shim, status: status,
                devices: groups.devices, imageRun: imageRun
            ).run()
        } catch {
            PayloadStatus(phase: .failed, code: 125, message: error.message).write(to: status)
            let line = Array("volt container: error: \(error.message)\n".utf8)
            _ = write(2, line, line.count)
            _exit(125)
        }
    }

    /// Keeps the output and passes the wish to stop on, until nspawn has ended.
    private mutating func watch(_ child: Int32, _ output: Int32, _ errors: Int32) -> (
        code: Int32, stopped: Bool
    ) {
        var stopped = false
        var passed: [Int32] = []
        var killAt: ContinuousClock.Instant?
        let grace = Int64(settings.optional("stop-timeout") ?? "10000") ?? 10_000
        while true {
            var polls = [
                pollfd(fd: signals, events: Int16(POLLIN), revents: 0),
                pollfd(fd: output, events: Int16(POLLIN), revents: 0),
                pollfd(fd: errors, events: Int16(POLLIN), revents: 0),
            ]
            let left = killAt.map { max(0, ($0 - ContinuousClock.now).milliseconds) }
            poll(&polls, 3, passed.isEmpty ? left.map { Int32(clamping: $0) } ?? -1 : 5)
            if polls[1].revents != 0 { log?.read(output, "stdout") }
            if polls[2].revents != 0 { log?.read(errors, "stderr") }
            if let at = killAt, ContinuousClock.now >= at {
                killAt = nil
                groups.kill()
                kill(child, SIGKILL)
            }
            while true {
                let number = volt_next_signal(signals)
                if number <= 0 { break }
                guard number == SIGCHLD else {
                    guard stops(number) else {
                        if !keepsOutput { passed.append(number) }
                        continue
                    }
                    stopped = true
                    // To process 1 itself, once there is one: nspawn would say something about it in the output, and
                    // hand it to a process 1 that cannot catch it yet.
                    passed.append(SIGTERM)
                    if killAt == nil { killAt = .now + .milliseconds(grace) }
                    continue
                }
                var value: Int32 = 0
                guard waitpid(child, &value, WNOHANG) == child else { continue }
                log?.drain(output, "stdout")
                log?.drain(errors, "stderr")
                return (
                    volt_exited(value) != 0 ? volt_exit_status(value) : 128 + volt_term_signal(value), stopped
                )
            }
            if !passed.isEmpty { pass(&passed, child) }
        }
    }

    /// Hands signals to the payload; those that come before it runs wait for it.
    private func pass(_ numbers: inout [Int32], _ child: Int32) {
        guard let leader = runningLeader(of: child) else { return }
        for number in numbers { kill(leader, number) }
        numbers = []
    }

    /// Process 1 of the container, when it waits for signals.
    private func runningLeader(of child: Int32) -> Int32? {
        let payload = PayloadStatus(decoding: (try? Files.read("\(directory)/status")) ?? [])
        return payload?.phase == .running ? PassedSignals.leader(of: child) : nil
    }
}
