import Glibc
import VoltCore
import VoltRollout
import VoltSystem
import VoltWorkload

@testable import ContainerEngine

/// A container runtime in memory: it holds what a host would hold, and does what a test tells it to.
actor MemoryRuntime: WorkloadRuntime {
    struct Died: Error {}

    /// What a started container does.
    enum Behaviour: Sendable { case healthy, unhealthy, ends(Int32), never, closedPort }

    private(set) var containers: [Name: GenerationState] = [:]
    /// The container that each published port of the host leads to.
    private(set) var ports: [UInt16: Name] = [:]
    private(set) var volumeNames: Set<String> = []
    private var behaviour = Behaviour.healthy
    /// The call, counted from 1, at which the process dies: that call and all after it do nothing.
    private var diesAt: Int?
    private var calls = 0
    /// Whether at any moment of the test a published port led nowhere.
    private(set) var wasEverDown = false
    private var refusesPorts = false

    func behave(_ behaviour: Behaviour) { self.behaviour = behaviour }
    func die(at call: Int?) {
        diesAt = call
        calls = 0
    }
    func refusePorts(_ refuses: Bool) { refusesPorts = refuses }
    func change(_ name: Name, _ change: @Sendable (inout GenerationState) -> Void) {
        if var state = containers[name] {
            change(&state)
            containers[name] = state
        }
    }
    func forget(_ name: Name) { containers[name] = nil }
    func kill(_ name: Name) { containers[name]?.activity = .exited }

    private func step() throws {
        calls += 1
        if let diesAt, calls >= diesAt { throw Died() }
        for target in ports.values where containers[target] == nil { wasEverDown = true }
    }

    func generations(of workload: Name) async throws -> [GenerationState] {
        try step()
        return containers.values.filter { $0.spec.workload == workload }
    }

    func imagesInUse() async throws -> [Digest: String] {
        try step()
        var images: [Digest: String] = [:]
        for state in containers.values {
            if let digest = state.spec.imageDigest { images[digest] = state.spec.name.text }
        }
        return images
    }

    func start(_ spec: ContainerSpec) async throws {
        try step()
        guard containers[spec.name] == nil else {
            throw VoltError(.conflict, "container '\(spec.name)' exists")
        }
        var state = GenerationState(
            spec: spec, activity: .running, health: spec.health == nil ? .none : .starting)
        switch behaviour {
        case .healthy: if spec.health != nil { state.health = .healthy }
        case .unhealthy: state.health = .unhealthy
        case .ends(let code):
            state.activity = .exited
            state.exitCode = code
        case .never, .closedPort: break
        }
        containers[spec.name] = state
    }

    func resume(container: Name) async throws -> Resumption {
        try step()
        guard var state = containers[container] else { throw VoltError(.notFound, "it is gone") }
        guard state.activity == .exited else { return .running }
        if state.isStoppedByHand { return .skipped("it was stopped by hand") }
        state.activity = .running
        if state.spec.health != nil { state.health = .healthy }
        containers[container] = state
        return .started
    }

    func state(of container: Name) async throws -> GenerationState? {
        try step()
        return containers[container]
    }

    func accepts(_ port: UInt16, in container: Name) async throws -> Bool {
        try step()
        if case .closedPort = behaviour { return false }
        return true
    }

    func publish(_ workload: Name, to container: Name) async throws {
        try step()
        guard let state = containers[container] else {
            throw VoltError(.notFound, "no container '\(container)'")
        }
        if refusesPorts, !ports.values.contains(container) { throw VoltError(.conflict, "port is taken") }
        ports = ports.filter { containers[$0.value]?.spec.workload != workload }
        for port in state.spec.ports { ports[port.hostPort] = container }
    }

    func withdraw(_ workload: Name) async throws {
        try step()
        ports = ports.filter { containers[$0.value]?.spec.workload != workload }
    }

    func remove(_ container: Name) async throws {
        try step()
        containers[container] = nil
    }

    func lastLines(of container: Name, count: Int) async throws -> [(stream: String, line: String)] {
        try step()
        return [("stderr", "last words of \(container)")]
    }

    func addVolume(_ name: String) { volumeNames.insert(name) }

    func removeVolume(_ name: String) async throws {
        try step()
        volumeNames.remove(name)
    }

    func volumes(of workload: Name) async throws -> [String] {
        try step()
        return volumeNames.filter { $0.hasPrefix("\(workload).") }.sorted()
    }

    func run(_ spec: ContainerSpec, upper: String, output: @escaping @Sendable (String, String) -> Void)
        async throws -> Int32
    {
        try step()
        try Files.replace("\(upper)/built", with: spec.command.joined(separator: " ").utf8)
        return spec.command.last == "false" ? 1 : 0
    }
}
