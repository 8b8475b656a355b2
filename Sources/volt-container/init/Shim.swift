internal import CVoltSystem
internal import ContainerSandbox
internal import Glibc
internal import VoltCore
internal import VoltSandbox
internal import VoltSupervise
internal import VoltSystem
internal import VoltWorkload

/// Process 1: one payload, its signals and its health.
struct Shim {
    private var confinement: Confinement
    private let identity: PayloadUser
    private let stopSignal: Int32
    private var health: HealthLoop?
    private var status = PayloadStatus()
    private var payload: pid_t = 0

    init(_ settings: InitSettings) throws(VoltError) {
        var confinement = settings.confinement
        identity = try confinement.resolveUser()
        self.confinement = confinement
        stopSignal = settings.stopSignal
        health = settings.health.map { HealthLoop($0) }
        try confinement.confineSelf()
    }

    /// Runs the payload to its end.
    ///
    /// - Returns: its exit code, or 128 and the number of the signal that ended it.
    mutating func run() -> Int32 {
        if let (code, reason) = start() {
            complain(reason)
            status = PayloadStatus(phase: .failed, code: code, message: reason)
            status.write(to: statusDescriptor)
            return code
        }
        status.phase = .running
        status.started = SystemClock().now().milliseconds
        status.health = health == nil ? .none : .starting
        status.write(to: statusDescriptor)
        while true {
            let number = volt_wait_signal(health?.wait(now: HealthLoop.now) ?? -1)
            if number == SIGCHLD {
                if let code = reap() {
                    status.phase = .exited
                    status.code = code
                    status.write(to: statusDescriptor)
                    return code
                }
            } else if number > 0 {
                kill(payload, number == SIGTERM ? stopSignal : number)
            }
            tick()
        }
    }

    private mutating func start() -> (Int32, String)? {
        var ends: [Int32] = [-1, -1]
        guard volt_pipe(&ends) == 0 else { return (125, "cannot make a pipe: \(SystemError.current.reason)") }
        payload = volt_fork()
        if payload == 0 {
            setsid()
            if isatty(0) == 1 { _ = volt_make_terminal() }
            _ = volt_reset_signals()
            let (code, reason) = confinement.become(identity)
            let bytes = [UInt8(code)] + Array(reason.utf8)
            _ = write(ends[1], bytes, bytes.count)
            _exit(code)
        }
        close(ends[1])
        defer { close(ends[0]) }
        guard payload > 0 else { return (125, "cannot start a process: \(SystemError.current.reason)") }
        var buffer = [UInt8](repeating: 0, count: 1024)
        let count = read(ends[0], &buffer, buffer.count)
        guard count > 0 else { return nil }
        return (Int32(buffer[0]), String(decoding: buffer[1..<count], as: UTF8.self))
    }

    /// Reaps every child that ended; gives the exit code when the payload was among them.
    private mutating func reap() -> Int32? {
        var code: Int32?
        var value: Int32 = 0
        while true {
            let pid = waitpid(-1, &value, WNOHANG)
            guard pid > 0 else { return code }
            let ended = volt_exited(value) != 0 ? volt_exit_status(value) : 128 + volt_term_signal(value)
            if pid == payload { code = ended }
            if health?.ended(pid, code: ended, now: HealthLoop.now, status: &status) == true {
                status.write(to: statusDescriptor)
            }
        }
    }

    private mutating func tick() {
        var (check, identity) = (confinement, identity)
        let changed = health?.tick(now: HealthLoop.now, status: &status) { command in
            check.command = command
            return check.become(identity).code
        }
        if changed == true { status.write(to: statusDescriptor) }
    }
}
