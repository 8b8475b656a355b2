import ArgumentParser
import Glibc
import VoltCLI
import VoltCore
import VoltCrypto
import VoltSystem

struct Load: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "load",
        abstract: "Send signed push events over kept connections and print the rate and the latencies.",
        discussion: "Each event has a delivery id and a commit of its own.")

    @Option(help: "The port at 127.0.0.1.") var port: UInt16
    @Option(help: "The path of the hook.") var path: String
    @Option(help: "The clone URL of the repository.") var repo: String
    @Option(help: "A file with the secret of the hook.") var secretFile: String
    @Option(help: "Connections at the same time.") var connections = 16
    @Option(help: "Seconds to send.") var seconds = 5
    @Option(help: "The status that counts as accepted.") var expect = 202
    @Option(help: "The first delivery's number, so that runs do not repeat ids.") var first = 0

    func run() throws {
        var secret = try Files.read(secretFile, limit: 4096)
        while secret.last == UInt8(ascii: "\n") { secret.removeLast() }
        // A ring of bodies is made before the clock starts: the generator must cost less than the server.
        let bodies: [(body: [UInt8], signature: String)] = try (0..<64).map { number in
            let commit = Hex.encode((0..<20).map { UInt8(truncatingIfNeeded: number &* 31 &+ $0 &* 7) })
            let push = GitHubPush(repository: repo, branch: "main", commit: commit, commits: 40)
            let body = Array(try Output.json(push, pretty: false).utf8)
            return (body, Hex.encode(HMAC.sha256(key: secret, message: body)))
        }
        let path = self.path
        var number = first
        var run = LoadRun(port: port, expect: expect) {
            let (body, signature) = bodies[number % bodies.count]
            let id = Hex.encode(withUnsafeBytes(of: UInt64(number).bigEndian) { Array($0) })
            number += 1
            let head =
                "POST \(path) HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
                + "X-GitHub-Event: push\r\nX-GitHub-Delivery: 00000000-0000-4000-\(id.prefix(4))-\(id.suffix(12))\r\n"
                + "X-Hub-Signature-256: sha256=\(signature)\r\nContent-Length: \(body.count)\r\n\r\n"
            return Array(head.utf8) + body
        }
        try run.send(over: connections, for: .seconds(seconds))
        let rate = Double(run.latencies.count) / run.elapsed.seconds
        let sorted = run.latencies.sorted()
        func percentile(_ part: Double) -> String {
            guard !sorted.isEmpty else { return "-" }
            let micros = sorted[min(sorted.count - 1, Int(Double(sorted.count) * part))]
            return "\(micros / 1000).\(String(micros % 1000 + 1000).dropFirst())"
        }
        try Output.put(
            "connections=\(connections) body=\(bodies[0].body.count) accepted=\(run.latencies.count) "
                + "failed=\(run.failures) rate=\(Int(rate)) p50=\(percentile(0.5)) p99=\(percentile(0.99))")
    }
}

/// One thread that keeps a number of connections busy.
struct LoadRun {
    /// Microseconds from the first byte of an accepted request to the last byte of its answer.
    private(set) var latencies: [UInt64] = []
    /// Answers with another status, and broken connections.
    private(set) var failures = 0
    /// From the first request to the last answer.
    private(set) var elapsed = Duration.zero

    private let port: UInt16
    private let expect: Int
    private let next: () -> [UInt8]

    init(port: UInt16, expect: Int, next: @escaping () -> [UInt8]) {
        self.port = port
        self.expect = expect
        self.next = next
    }

    private struct Lane {
        var descriptor: Int32
        var request: [UInt8] = []
        var sent = 0
        var answer: [UInt8] = []
        var started = ContinuousClock.now
    }

    mutating func send(over count: Int, for duration: Duration) throws {
        let clock = ContinuousClock()
        let begin = clock.now
        let end = begin + duration
        var lanes: [Lane] = []
        for _ in 0..<count { lanes.append(Lane(descriptor: try open())) }
        defer { lanes.forEach { close($0.descriptor) } }
        for index in lanes.indices { start(&lanes[index]) }
        var busy = count
        while busy > 0 {
            var polls = lanes.map { lane in
                pollfd(
                    fd: lane.descriptor, events: Int16(lane.sent < lane.request.count ? POLLOUT : POLLIN),
                    revents: 0)
            }
            guard poll(&polls, nfds_t(polls.count), 10_000) > 0 else {
                throw VoltError(.failed, "the server did not answer in ten seconds")
            }
            for index in lanes.indices where polls[index].revents != 0 {
                guard try step(&lanes[index]) else { continue }
                if clock.now < end {
                    start(&lanes[index])
                } else {
                    busy -= 1
                    close(lanes[index].descriptor)
                    lanes[index].descriptor = -1
                }
            }
        }
        elapsed = clock.now - begin
    }

    private func open() throws -> Int32 {
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = port.bigEndian
        address.sin_addr.s_addr = inet_addr("127.0.0.1")
        let result = withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        guard result == 0 else { throw SystemError.current.during("cannot connect to port \(port)") }
        var on: Int32 = 1
        setsockopt(descriptor, Int32(IPPROTO_TCP), TCP_NODELAY, &on, socklen_t(MemoryLayout<Int32>.size))
        return descriptor
    }

    private func start(_ lane: inout Lane) {
        lane.request = next()
        lane.sent = 0
        lane.answer.removeAll(keepingCapacity: true)
        lane.started = .now
    }

    /// Writes or reads what is possible; true when the answer is there.
    private mutating func step(_ lane: inout Lane) throws -> Bool {
        if lane.sent < lane.request.count {
            let count = lane.request.withUnsafeBytes { bytes in
                Glibc.send(
                    lane.descriptor, bytes.baseAddress?.advanced(by: lane.sent), bytes.count - lane.sent,
                    Int32(MSG_NOSIGNAL) | Int32(MSG_DONTWAIT))
            }
            if count > 0 { lane.sent += count }
            if count < 0, errno != EAGAIN { try replace(&lane) }
            return false
        }
        var part = [UInt8](repeating: 0, count: 4096)
        let count = recv(lane.descriptor, &part, part.count, Int32(MSG_DONTWAIT))
        if count < 0, errno == EAGAIN { return false }
        guard count > 0 else {
            try replace(&lane)
            return false
        }
        lane.answer += part[..<count]
        guard let status = complete(lane.answer) else { return false }
        if status == expect {
            latencies.append(UInt64((ContinuousClock.now - lane.started).seconds * 1e6))
        } else {
            failures += 1
        }
        return true
    }

    private mutating func replace(_ lane: inout Lane) throws {
        failures += 1
        close(lane.descriptor)
        lane.descriptor = try open()
        lane.sent = 0
        lane.answer.removeAll()
    }

    /// The status of an answer that is there whole, by its `Content-Length`.
    private func complete(_ bytes: [UInt8]) -> Int? {
        guard let text = String(validating: bytes, as: UTF8.self), let end = text.firstRange(of: "\r\n\r\n")
        else {
            return nil
        }
        let head = text[..<end.lowerBound].lowercased()
        guard let status = head.split(separator: " ").dropFirst().first.flatMap({ Int($0) }) else {
            return nil
        }
        let length = head.split(separator: "\r\n").first { $0.hasPrefix("content-length:") }
            .flatMap { Int($0.dropFirst("content-length:".count).filter(\.isNumber)) }
        guard let length else { return status }
        return text[end.upperBound...].utf8.count >= length ? status : nil
    }
}
