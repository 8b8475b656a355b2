internal import CVoltSystem
internal import Glibc
internal import VoltSystem
public import VoltWorkload

/// The loop of a health check. Each try is a child, so that a try that hangs cannot hold the process that asks.
public struct HealthLoop: Sendable {
    private let probe: HealthCheck.Probe
    private let interval: Int64
    private let timeout: Int64
    private let retries: Int
    private let startPeriod: Int64
    private let born = Self.now
    private var next: Int64
    private var child: Int32 = 0
    private var deadline: Int64 = 0

    /// Milliseconds of the clock that is never set.
    public static var now: Int64 {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        return Int64(time.tv_sec) * 1000 + Int64(time.tv_nsec) / 1_000_000
    }

    /// The payload was just executed.
    public init(_ check: HealthCheck) {
        probe = check.probe
        interval = max(10, check.intervalMilliseconds)
        timeout = max(10, check.timeoutMilliseconds)
        retries = max(1, check.retries)
        startPeriod = max(0, check.startPeriodMilliseconds)
        next = born
    }

    /// Milliseconds until something is to be done.
    public func wait(now: Int64) -> Int64 { max(0, (child > 0 ? deadline : next) - now) }

    /// Starts a try that is due, or ends one that takes too long.
    ///
    /// - Parameter execute: runs the command of a check, in a process of its own.
    /// - Returns: whether the status changed.
    public mutating func tick(
        now: Int64, status: inout PayloadStatus, execute: ([String]) -> Int32
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
            run(execute)
        }
        return child < 0 && failed(now, "cannot start a process", &status)
    }

    /// Takes the end of a child into account.
    ///
    /// - Returns: whether the status changed.
    public mutating func ended(_ pid: Int32, code: Int32, now: Int64, status: inout PayloadStatus) -> Bool {
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

    private func run(_ execute: ([String]) -> Int32) -> Never {
        switch probe {
        case .tcp(let port):
            _exit(connect(port) >= 0 ? 0 : 201)
        case .http(let port, let path):
            _exit(get(port, path))
        case .exec(let command):
            let null = volt_open("/dev/null", O_RDWR, 0)
            for descriptor: Int32 in 0...2 { dup2(null, descriptor) }
            _exit(execute(command))
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
