internal import ContainerSandbox
internal import Glibc
public import VoltCore
internal import VoltSystem

/// Published ports. They belong to a workload, or to a container that is of none, and are owned by a
/// process that outlives containers.
extension ContainerRuntime {
    /// Points the ports of a workload to a container, in one step; the workload's ports that are not among
    /// these are closed.
    ///
    /// - Throws: `VoltError` with code `conflict` when a port is taken.
    public func publish(workload: Name, ports: [ContainerSpec.PublishedPort], to container: Name)
        throws(VoltError)
    {
        guard let record = RunRecord(in: directory(container)), record.isSupervised else {
            throw VoltError(.conflict, "container '\(container)' does not run")
        }
        try point(key: workload.text, ports, to: record.supervisor)
    }

    /// Closes the ports of a workload.
    public func unpublish(workload: Name) throws(VoltError) { try unpublish(key: workload.text) }

    /// Publishes the ports of a container that is of no workload.
    func publishOwn(_ spec: ContainerSpec) throws(VoltError) {
        guard !spec.ports.isEmpty, let record = RunRecord(in: directory(spec.name)) else { return }
        try point(key: "container.\(spec.name)", spec.ports, to: record.supervisor)
    }

    /// Points the ports of a workload to a container that was started again, if they were at it.
    func republish(_ spec: ContainerSpec) throws(VoltError) {
        guard let workload = spec.workload, !spec.ports.isEmpty,
            let record = RunRecord(in: directory(spec.name)), Files.exists(portSocket(workload.text))
        else { return }
        try point(key: workload.text, spec.ports, to: record.supervisor)
    }

    func unpublish(key: String) throws(VoltError) {
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

    private func point(key: String, _ ports: [ContainerSpec.PublishedPort], to supervisor: Int32)
        throws(VoltError)
    {
        if ports.isEmpty { return try unpublish(key: key) }
        var set = Settings()
        set.add("verb", "set")
        set.add("port", all: ports.map { "\($0.address)|\($0.hostPort)|\($0.containerPort)" })
        set.add("netns", "/proc/\(supervisor)/ns/net")
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
        throw VoltError(
            code ?? .failed, parts.count > 2 ? String(parts[2]) : answer,
            hint: code == .conflict ? "publish another port, or stop what holds it" : nil)
    }

    private func startPortProcess(_ key: String) throws(VoltError) {
        let program = try Processes.helper("volt-container--port")
        try Files.makeDirectory("\(paths.runtime)/ports", mode: 0o700)
        try Files.remove(portSocket(key))
        if usesSystemd {
            try Units.run(
                "volt-ports-\(key)", properties: ["Type=exec", "Restart=no", "LimitNOFILE=65536"],
                [program, portSocket(key)])
        } else {
            _ = try Processes.spawnDetached(program, [portSocket(key)], environment: [:])
        }
        let deadline = ContinuousClock.now + .seconds(10)
        while !Files.exists(portSocket(key)) {
            guard ContinuousClock.now < deadline else {
                throw VoltError(.failed, "the port process of '\(key)' did not start within 10 s")
            }
            usleep(1_000)
        }
    }
}
