internal import CVoltSystem
internal import Glibc
internal import VoltCore

/// Asks extensions for their metadata: the static file first, then `volt-<name> --volt-metadata`, all of
/// them at once.
public struct MetadataProbe {
    /// How long an extension may take, in milliseconds.
    public static let timeLimit = 2000
    /// How many run at the same time.
    static let width = 32

    private let voltVersion: String
    private let environment: [[UInt8]]

    /// - Parameters:
    ///   - voltVersion: the version of this `volt`, for `minVolt`.
    ///   - environment: the environment of the extensions.
    public init(voltVersion: String, environment: [[UInt8]]) {
        self.voltVersion = voltVersion
        self.environment = environment
    }

    /// The metadata of each candidate, in their order.
    public func ask(_ candidates: [(name: String, path: [UInt8])]) -> [Result<ToolMetadata, MetadataFailure>]
    {
        var answers = candidates.map { staticFile($0.name, $0.path) }
        var waiting = candidates.indices.filter { answers[$0] == nil }[...]
        var running: [Child] = []
        while !waiting.isEmpty || !running.isEmpty {
            while running.count < Self.width, let index = waiting.popFirst() {
                switch Child.start(index, candidates[index].path, environment) {
                case .success(let child): running.append(child)
                case .failure(let failure): answers[index] = .failure(failure)
                }
            }
            step(&running)
            for child in running where child.outcome != nil {
                answers[child.index] = answer(child, candidates[child.index].name)
            }
            running.removeAll { $0.outcome != nil }
        }
        return answers.map { $0 ?? .failure(MetadataFailure("it was not asked")) }
    }

    /// Nil when there is no such file.
    private func staticFile(_ name: String, _ path: [UInt8]) -> Result<ToolMetadata, MetadataFailure>? {
        let file = Self.staticPath(name, path)
        do {
            guard let bytes = try SmallFile.read(file, limit: JSONValue.maximumSize) else { return nil }
            return parse(bytes, name)
        } catch {
            return .failure(
                MetadataFailure("cannot read '\(String(decoding: file, as: UTF8.self))': \(error.reason)"))
        }
    }

    /// `<prefix>/share/volt/commands/<name>.json` for a program in `<prefix>/bin` or `<prefix>/libexec/volt`.
    static func staticPath(_ name: String, _ path: [UInt8]) -> [UInt8] {
        let components = path.split(separator: UInt8(ascii: "/")).dropLast()
        let prefix =
            components.suffix(2).elementsEqual(["libexec", "volt"], by: { $0.elementsEqual($1.utf8) })
            ? components.dropLast(2) : components.dropLast()
        return prefix.flatMap { [UInt8(ascii: "/")] + $0 } + Array("/share/volt/commands/\(name).json".utf8)
    }

    private func parse(_ bytes: [UInt8], _ name: String) -> Result<ToolMetadata, MetadataFailure> {
        do { return .success(try ToolMetadata(bytes, of: name, voltVersion: voltVersion)) } catch {
            return .failure(error)
        }
    }

    private func answer(_ child: Child, _ name: String) -> Result<ToolMetadata, MetadataFailure> {
        switch child.outcome {
        case .failed(let failure): .failure(failure)
        case .ended(let status) where volt_exited(status) == 0:
            .failure(MetadataFailure("'--volt-metadata' ended by signal \(volt_term_signal(status))"))
        case .ended(let status) where volt_exit_status(status) != 0:
            .failure(MetadataFailure("'--volt-metadata' exits with \(volt_exit_status(status))"))
        default:
            child.output.isEmpty
                ? .failure(MetadataFailure("'--volt-metadata' prints nothing")) : parse(child.output, name)
        }
    }

    /// Waits a little for output or an end, and takes in what there is.
    private func step(_ running: inout [Child]) {
        // A child that closed its stdout has no descriptor to wait for: its end is looked for every 5 ms.
        let wait = running.contains { $0.descriptor < 0 } ? 5 : 100
        var descriptors = running.map { pollfd(fd: $0.descriptor, events: Int16(POLLIN), revents: 0) }
        let shortest = running.map(\.remaining).min() ?? 0
        poll(&descriptors, nfds_t(descriptors.count), Int32(max(0, min(wait, shortest))))
        for index in running.indices {
            if descriptors[index].revents != 0 { running[index].takeOutput() }
            running[index].takeEnd()
        }
    }
}

/// An extension that was asked.
private struct Child {
    enum Outcome {
        case ended(Int32)
        case failed(MetadataFailure)
    }

    let index: Int
    private let pid: pid_t
    /// The end of the pipe to read, -1 when it was closed.
    private(set) var descriptor: Int32
    private let deadline: Int
    private(set) var output: [UInt8] = []
    private(set) var outcome: Outcome?

    static func start(_ index: Int, _ path: [UInt8], _ environment: [[UInt8]]) -> Result<
        Child, MetadataFailure
    > {
        var pid: pid_t = 0
        let descriptor = withCStrings([path, Array("--volt-metadata".utf8)]) { argv in
            withCStrings(environment) { envp in
                volt_spawn_captured(path.map { CChar(bitPattern: $0) } + [0], argv, envp, &pid)
            }
        }
        guard descriptor >= 0 else {
            return .failure(MetadataFailure(ExecFailure.explain(path, errno).message))
        }
        return .success(
            Child(index: index, pid: pid, descriptor: descriptor, deadline: now + MetadataProbe.timeLimit))
    }

    private init(index: Int, pid: pid_t, descriptor: Int32, deadline: Int) {
        self.index = index
        self.pid = pid
        self.descriptor = descriptor
        self.deadline = deadline
    }

    /// Milliseconds of CLOCK_MONOTONIC.
    private static var now: Int {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        return time.tv_sec * 1000 + time.tv_nsec / 1_000_000
    }

    var remaining: Int { deadline - Self.now }

    mutating func takeOutput() {
        var buffer = [UInt8](repeating: 0, count: 16 << 10)
        while descriptor >= 0 {
            let count = read(descriptor, &buffer, buffer.count)
            if count < 0 { return }
            if count == 0 {
                close(descriptor)
                descriptor = -1
            }
            output += buffer[..<count]
            if output.count > JSONValue.maximumSize {
                end(MetadataFailure("'--volt-metadata' prints more than 64 KiB"))
                return
            }
        }
    }

    mutating func takeEnd() {
        guard outcome == nil else { return }
        if descriptor < 0 {
            var status: Int32 = 0
            if waitpid(pid, &status, WNOHANG) == pid {
                // What it left running goes with it.
                kill(-pid, SIGKILL)
                outcome = .ended(status)
                return
            }
        }
        if remaining <= 0 {
            end(MetadataFailure("'--volt-metadata' takes longer than \(MetadataProbe.timeLimit / 1000) s"))
        }
    }

    private mutating func end(_ failure: MetadataFailure) {
        kill(-pid, SIGKILL)
        var status: Int32 = 0
        while waitpid(pid, &status, 0) < 0, errno == EINTR {}
        if descriptor >= 0 { close(descriptor) }
        descriptor = -1
        outcome = .failed(failure)
    }
}
