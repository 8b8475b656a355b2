public import VoltCore
internal import VoltPorts
public import VoltRollout
internal import VoltSupervise
internal import VoltSystem
internal import VoltWorkload

/// The start of what should run, such as after the host was started.
extension ContainerRuntime {
    /// The containers that are of no workload, by name. Nothing is repaired, which would start some of them.
    public func ownContainers() throws(VoltError) -> [Name] {
        var names: [Name] = []
        for text in try Files.list("\(paths.state)/containers") {
            // One that cannot be read is said so when it is its turn.
            guard let name = try? Name(text), Files.exists("\(directory(name))/spec.json"),
                (try? spec(name))?.workload == nil
            else { continue }
            names.append(name)
        }
        return names.sorted()
    }

    /// Starts a container that should run and does not, with its published ports. Of one that runs, ports that are
    /// gone are published again.
    public func resume(_ name: Name) throws(VoltError) -> Resumption {
        try withLock(name) { () throws(VoltError) in
            let wasLost = needsRepair(name)
            let state: ContainerState
            // This starts one that was lost with its supervisor.
            do throws(VoltError) { state = try repaired(name) } catch  where error.code == .notFound {
                return .skipped("it went away when it ended, as '--rm' asks")
            }
            switch state.state {
            case .running, .restarting:
                if !ports.leads(portKey(of: state.spec), to: name.text) { try publishAgain(state.spec) }
                return wasLost ? .started : .running
            case .created: return .skipped("it was never started")
            case .exited: break
            }
            guard instance(name).isDesired else { return .skipped("it was stopped by hand") }
            guard !hasFinished(state.spec) else {
                return .skipped("it has finished, and its restart policy is '\(state.spec.restart.rawValue)'")
            }
            try launch(name, state.spec, restarts: 0)
            try publishAgain(state.spec)
            return .started
        }
    }

    /// Whether a container that runs no more has done what it was for.
    func hasFinished(_ spec: ContainerSpec) -> Bool {
        switch spec.restart {
        case .always: false
        case .no: true
        case .onFailure:
            // One that was asked to end, such as while the host went down, has not ended by itself.
            instance(spec.name).record.map { $0.code == 0 && $0.wasAsked == false } ?? false
        }
    }

    /// It is not stopped when this fails: that would look as if somebody wanted it to be stopped.
    private func publishAgain(_ spec: ContainerSpec) throws(VoltError) {
        guard let workload = spec.workload else { return try publishOwn(spec) }
        try publish(workload: workload, ports: spec.ports, to: spec.name)
    }
}
