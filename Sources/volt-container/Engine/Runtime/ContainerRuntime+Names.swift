public import VoltCore
internal import VoltSystem

extension ContainerRuntime {
    /// The container that a name means: the one of that name, else the one of the workload of that name, whose
    /// containers are called after its generations.
    ///
    /// - Throws: `VoltError` with code `conflict` when several containers of a workload could be meant.
    public func container(named name: Name) throws(VoltError) -> Name {
        guard !Files.exists("\(directory(name))/spec.json") else { return name }
        let all = try list().filter { $0.spec.workload == name }
        let running = all.filter { $0.state == .running || $0.state == .restarting }
        let candidates = running.isEmpty ? all : running
        guard candidates.count > 1 else { return candidates.first?.spec.name ?? name }
        let names = candidates.map { "'\($0.spec.name)'" }.joined(separator: ", ")
        throw VoltError(
            .conflict, "workload '\(name)' has more than one container: \(names)",
            hint: "name one of them")
    }

    /// Refuses the name of a workload where a container is to be removed.
    func refuseWorkload(_ name: Name) throws(VoltError) {
        guard !Files.exists("\(directory(name))/spec.json"),
            Files.exists("\(paths.state)/workloads/\(name)/workload.json")
        else { return }
        throw VoltError(
            .notFound, "there is no container '\(name)': it is a workload",
            hint: "remove it with 'volt container remove --workload \(name)'")
    }
}
