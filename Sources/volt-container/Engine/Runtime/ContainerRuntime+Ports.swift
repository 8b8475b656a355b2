public import VoltCore
internal import VoltPorts
internal import VoltSupervise
internal import VoltSystem
internal import VoltSystemd
public import VoltWorkload

/// Published ports. They belong to a workload, or to a container that is of none.
extension ContainerRuntime {
    /// The ports of this host.
    var ports: PortTable {
        PortTable(paths: paths, tool: "container", earlier: "\(paths.runtime)/ports") { key, socket in
            let program = try Processes.helper("volt-container--port")
            guard self.usesSystemd else {
                _ = try Processes.spawnDetached(program, [socket], environment: [:])
                return
            }
            try TransientUnit.run(
                self.unitName("ports-\(key)"), properties: ["Type=exec", "Restart=no", "LimitNOFILE=65536"],
                [program, socket])
        }
    }

    /// Points the ports of a workload to a container, in one step; the workload's ports that are not among
    /// these are closed.
    ///
    /// - Throws: `VoltError` with code `conflict` when a port is taken.
    public func publish(workload: Name, ports: [PublishedPort], to container: Name) throws(VoltError) {
        try point(workload.text, ports, to: container)
    }

    /// Closes the ports of a workload.
    public func unpublish(workload: Name) throws(VoltError) { try ports.close(workload.text) }

    /// The key of the ports of a container.
    func portKey(of spec: ContainerSpec) -> String { spec.workload?.text ?? ports.key(of: spec.name.text) }

    /// Publishes the ports of a container that is of no workload.
    func publishOwn(_ spec: ContainerSpec) throws(VoltError) {
        if !spec.ports.isEmpty { try point(ports.key(of: spec.name.text), spec.ports, to: spec.name) }
    }

    /// Starts port processes that were killed, and points those to the new network namespace whose
    /// container was started again.
    func repairPorts(of container: Name? = nil) {
        ports.repair(of: container?.text) { text in (try? Name(text)).flatMap(namespace) }
    }

    /// Waits until the callers that the ports' former container still serves are done, at most for a time.
    func drain(_ spec: ContainerSpec, seconds: Int64) {
        guard let workload = spec.workload, let record = RunRecord(in: directory(spec.name)) else { return }
        ports.drain(
            workload.text, namespace: "/proc/\(record.supervisor)/ns/net", seconds: seconds)
    }

    private func point(_ key: String, _ list: [PublishedPort], to container: Name) throws(VoltError) {
        if list.isEmpty { return try ports.close(key) }
        guard let namespace = namespace(of: container) else {
            throw VoltError(.conflict, "container '\(container)' does not run")
        }
        try ports.point(key, list, to: container.text, namespace: namespace)
    }

    /// The network namespace of a container; nil when it does not run.
    private func namespace(of container: Name) -> String? {
        guard let record = RunRecord(in: directory(container)), record.isSupervised else { return nil }
        return "/proc/\(record.supervisor)/ns/net"
    }
}
