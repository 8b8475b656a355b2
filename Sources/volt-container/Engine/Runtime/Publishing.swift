internal import ContainerSandbox
internal import Glibc
public import VoltCore
internal import VoltSystem
public import VoltWorkload

/// Published ports. They belong to a workload, or to a container that is of none, and are owned by a
/// process that outlives containers.
extension ContainerRuntime {
    /// Points the ports of a workload to a container, in one step; the workload's ports that are not among
    /// these are closed.
    ///
    /// - Throws: `VoltError` with code `conflict` when a port is taken.
    public func publish(workload: Name, ports: [PublishedPort], to container: Name)
        throws(VoltError)
    {
        try point(key: workload.text, ports, to: container)
    }

    /// Closes the ports of a workload.
    public func unpublish(workload: Name) throws(VoltError) { try unpublish(key: workload.text) }

    /// Publishes the ports of a container that is of no workload.
    func publishOwn(_ spec: ContainerSpec) throws(VoltError) {
        if !spec.ports.isEmpty { try point(key: "container.\(spec.name)", spec.ports, to: spec.name) }
    }

    func unpublish(key: String) throws(VoltError) {
        // First, so that no other command starts the port process again.
        try Files.remove(portSettings(key))
        var quit = Settings()
        quit.add("verb", "quit")
        do throws(VoltError) { _ = try ControlSocket.ask(portSocket(key), try quit.encoded()) } catch
            where error.code == .notFound
        {
            // Nothing was published, or the process is gone.
        }
        try Files.remove(portSocket(key))
    }

    func portSocket(_ key: String) -> String { "\(paths.runtime)/ports/\(key)" }

    /// What is published, and the container it is pointed to.
    private func portSettings(_ key: String) -> String { "\(paths.runtime)/ports/\(key).settings" }

    /// Whether published ports lead to a container.
    func leads(_ key: String, to container: Name) -> Bool {
        guard let bytes = try? Files.read(portSettings(key), limit: ControlSocket.limit),
            let settings = try? Settings(decoding: bytes)
        else { return false }
        return settings.optional("container") == container.text
    }

    /// Starts port processes that were killed, and points those to the new network namespace whose
    /// container was started again.
    func repairPorts(of container: Name? = nil) {
        for file in (try? Files.list("\(paths.runtime)/ports")) ?? [] where file.hasSuffix(".settings") {
            let key = String(file.dropLast(9))
            guard let bytes = try? Files.read(portSettings(key), limit: ControlSocket.limit),
                let settings = try? Settings(decoding: bytes),
                let target = settings.optional("container").flatMap({ try? Name($0) })
            else { continue }
            guard container != nil || !answers(key) else { continue }
            // What cannot be published now, such as a port that another program took, must not hide the
            // containers from their user.
            if container == nil || container == target { try? send(settings, key: key, to: target) }
        }
    }

    private func answers(_ key: String) -> Bool {
        var status = Settings()
        status.add("verb", "status")
        guard let message = try? status.encoded() else { return false }
        return (try? ControlSocket.ask(portSocket(key), message)) != nil
    }

    /// Waits until the callers that the ports' former container still serves are done, at most for a time.
    ///
    /// A connection that has not moved a byte for 200 ms is idle; its client makes a new one.
    func drain(_ spec: ContainerSpec, seconds: Int64) {
        guard let workload = spec.workload, let record = RunRecord(in: directory(spec.name)) else { return }
        var question = Settings()
        question.add("verb", "busy")
        question.add("netns", "/proc/\(record.supervisor)/ns/net")
        guard let message = try? question.encoded() else { return }
        let deadline = ContinuousClock.now + .seconds(seconds)
        while ContinuousClock.now < deadline {
            guard let answer = try? ControlSocket.ask(portSocket(workload.text), message), answer != "ok 0"
            else {
                return
            }
            usleep(10_000)
        }
    }

    private func point(key: String, _ ports: [PublishedPort], to container: Name)
        throws(VoltError)
    {
        if ports.isEmpty { return try unpublish(key: key) }
        var settings = Settings()
        settings.add("verb", "set")
        settings.add("port", all: ports.map { "\($0.address)|\($0.hostPort)|\($0.containerPort)" })
        settings.add("container", container.text)
        try send(settings, key: key, to: container)
        try Files.replace(portSettings(key), with: try settings.encoded(), mode: 0o600)
    }

    private func send(_ settings: Settings, key: String, to container: Name) throws(VoltError) {
        guard let record = RunRecord(in: directory(container)), record.isSupervised else {
            throw VoltError(.conflict, "container '\(container)' does not run")
        }
        var set = settings
        set.add("netns", "/proc/\(record.supervisor)/ns/net")
        let answer: String
        do throws(VoltError) {
            answer = try ControlSocket.ask(portSocket(key), try set.encoded())
        } catch  where error.code == .notFound {
            try startPortProcess(key)
            answer = try ControlSocket.ask(portSocket(key), try set.encoded())
        }
        guard !answer.hasPrefix("ok") else { return }
        let parts = answer.split(separator: " ", maxSplits: 2)
        let code = parts.count > 1 ? Int32(parts[1]).flatMap(ExitCode.init) : nil
        let reason = parts.count > 2 ? String(parts[2]) : answer
        guard code == .conflict else { throw VoltError(code ?? .failed, reason) }
        let holder = set.all("port").lazy.compactMap { self.holder(of: $0, except: key) }.first
        throw VoltError(
            .conflict, holder.map { "\(reason) by \($0)" } ?? reason,
            hint: "publish another port, or stop what holds it")
    }

    private func holder(of port: String, except own: String) -> String? {
        let number = port.split(separator: "|").dropFirst().first
        for file in (try? Files.list("\(paths.runtime)/ports")) ?? []
        where file.hasSuffix(".settings") && file != "\(own).settings" {
            guard let bytes = try? Files.read("\(paths.runtime)/ports/\(file)", limit: ControlSocket.limit),
                let settings = try? Settings(decoding: bytes),
                settings.all("port").contains(where: { $0.split(separator: "|").dropFirst().first == number }
                ),
                let container = settings.optional("container")
            else { continue }
            return file.hasPrefix("container.")
                ? "container '\(container)'" : "workload '\(file.dropLast(9))'"
        }
        return nil
    }

    private func startPortProcess(_ key: String) throws(VoltError) {
        let program = try Processes.helper("volt-container--port")
        try Files.makeDirectory("\(paths.runtime)/ports", mode: 0o700)
        try Files.remove(portSocket(key))
        if usesSystemd {
            try Units.run(
                unitName("ports-\(key)"), properties: ["Type=exec", "Restart=no", "LimitNOFILE=65536"],
                [program, portSocket(key)])
        } else {
            _ = try Processes.spawnDetached(program, [portSocket(key)], environment: [:])
        }
        let deadline = ContinuousClock.now + .seconds(10)
        while !answers(key) {
            guard ContinuousClock.now < deadline else {
                throw VoltError(.failed, "the port process of '\(key)' did not start within 10 s")
            }
            usleep(1_000)
        }
    }
}
