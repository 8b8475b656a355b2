internal import CVoltSystem
internal import ContainerSandbox
internal import Glibc
internal import VoltCore
internal import VoltSandbox

/// The health check: each try is a child, so that a try that hangs cannot hold process 1.
struct HealthLoop {
    private enum Probe {
        case http(port: UInt16, path: String)
        case tcp(port: UInt16)
        case command([String])
    }

    private let probe: Probe
    private let interval: Int64
    private let timeout: Int64
    private let retries: Int
    private let startPeriod: Int64
    private let born = monotonic()
    private var next: Int64
    private var child: pid_t = 0
    private var deadline: Int64 = 0

    /// Reads the keys `health` (`http`, `tcp` or `exec`) and `health-…`; nil when there is no check.
    init?(_ settings: Settings) throws(VoltError) {
        guard let kind = settings.optional("health") else { return nil }
        switch kind {
        case "http":
            probe = .http(port: try settings.number("health-port"), path: try settings.text("health-path"))
        case "tcp": probe = .tcp(port: try settings.number("health-port"))
        case "exec": probe = .command(settings.all("health-arg"))
        default: throw VoltError(.failed, "'\(kind)' is not a health check")
        }
        interval = max(10, try settings.number("health-interval"))
        timeout = max(10, try settings.number("health-timeout"))
        retries = max(1, try settings.number("health-retries"))
        startPeriod = max(0, try settings.number("health-start"))
        next = born
    }

    /// Milliseconds until something is to be done.
    func wait(now: Int64) -> Int64 { max(0, (child > 0 ? deadline : next) - now) }

    /// Starts a try that is due, or ends one that takes too long.
    ///
    /// - Returns: whether the status changed.
    mutating func tick(
        now: Int64, confinement: Confinement, identity: PayloadUser, status: inout PayloadStatus
    ) -> Bool {
        if child > 0 {
            if now >= deadline { kill(-child, SIGKILL) }
            if now >= deadline { deadline = now + 1000 }
            return false
        }
        guard now >= next else { return false }
        deadline = now + timeout
        child = volt_fork()
        if child == 0 {
            setpgid(0, 0)
            _ = volt_reset_signals()
            run(confinement, identity)
        }
        return child < 0 && failed(now, "cannot start a process", &status)
    }

    /// Takes the end of a child into account.
    ///
    /// - Returns: whether the status changed.
    mutating func ended(_ pid: pid_t, code: Int32, now: Int64, status: inout PayloadStatus) -> Bool {
        guard pid == child else { return false }
        child = 0
        guard code == 0 else {
            let reason =
                code == 128 + SIGKILL ? "the check took longer than \(timeout) ms" : Self.reason(code)
            return failed(now, reason, &status)
        }
        next = now + interval
        let changed = status.health != .healthy || status.failures != 0
        status.health = .healthy
        status.failures = 0
        status.message = ""
        return changed
    }

    private mutating func failed(_ now: Int64, _ reason: String, _ status: inout PayloadStatus) -> Bool {
        child = 0
        let starting = status.health == .starting
        // A payload that is starting is asked often, so that a deployment goes on as soon as it can.
        next = now + (starting ? min(interval, now - born < 2000 ? 50 : 250) : interval)
        status.message = reason
        if starting && now - born < startPeriod { return true }
        status.failures += 1
        if starting { next = now + interval }
        if status.failures >= retries { status.health = .unhealthy }
        return true
    }

    private static func reason(_ code: Int32) -> String {
        switch code {
        case 201: "the port does not accept"
        case 202: "the answer was not HTTP"
        case 203: "the answer was not 200 to 399"
        default: "the check ended with \(code)"
        }
    }

    private func run(_ confinement: Confinement, _ identity: PayloadUser) -> Never {
        switch probe {
        case .tcp(let port):
            _exit(connect(port) >= 0 ? 0 : 201)
        case .http(let port, let path):
            _exit(get(port, path))
        case .command(let command):
            var check = confinement
            check.command = command
            let null = volt_open("/dev/null", O_RDWR, 0)
            for descriptor: Int32 in 0...2 { dup2(null, descriptor) }
            _exit(check.become(identity).code)
        }
    }

    private func connect(_ port: UInt16) -> Int32 {
        for ipv6: Int32 in [0, 1] {
            var pending: Int32 = 0
            let descriptor = volt_connect_loopback(port, ipv6, &pending)
            guard descriptor >= 0 else { continue }
            var wait = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
            if poll(&wait, 1, Int32(clamping: timeout)) == 1, volt_socket_error(descriptor) == 0 {
                return descriptor
            }
            close(descriptor)
        }
        return -1
    }

    private func get(_ port: UInt16, _ path: String) -> Int32 {
        let descriptor = connect(port)
        guard descriptor >= 0 else { return 201 }
        let request = Array(
            "GET \(path) HTTP/1.1\r\nHost: localhost\r\nUser-Agent: volt-health\r\nConnection: close\r\n\r\n"
                .utf8)
        guard write(descriptor, request, request.count) == request.count else { return 202 }
        var answer: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 512)
        while answer.count < 12 {
            var wait = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
            guard poll(&wait, 1, Int32(clamping: timeout)) == 1 else { return 202 }
            let count = read(descriptor, &buffer, buffer.count)
            guard count > 0 else { return 202 }
            answer += buffer[..<count]
        }
        // "HTTP/1.1 200"
        guard answer.starts(with: "HTTP/1.".utf8), answer[8] == 32,
            let code = Int(String(decoding: answer[9..<12], as: UTF8.self))
        else { return 202 }
        return (200...399).contains(code) ? 0 : 203
    }
}
