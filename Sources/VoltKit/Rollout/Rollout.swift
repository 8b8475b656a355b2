public import VoltCore
public import VoltSystem
public import VoltWorkload

/// Brings the workloads of a kind to what their definitions say.
///
/// The order of an apply is: prepare, start a new instance beside the old one, wait until it is healthy, point the
/// ports to it, write the record, remove the old one. Until the record is written the old instance is the workload,
/// and everything else of it is a leftover that the next command removes.
public struct Rollout<Runtime: RolloutRuntime>: WorkloadApplying {
    let kind: String
    let runtime: Runtime
    let others: any OtherKinds
    let records: WorkloadRecords
    let claims: WorkloadClaims
    let clock: any WallClock
    let aliveFor: Duration
    let hostRuntime: String

    /// - Parameters:
    ///   - kind: the kind of workload, such as `container`.
    ///   - runtime: the instances of the kind.
    ///   - paths: the directories of the kind's tool.
    ///   - others: the other kinds of the host.
    ///   - clock: for the events.
    ///   - aliveFor: how long a workload without a health check must be alive to count as healthy.
    public init(
        kind: String, runtime: Runtime, paths: HostPaths, others: any OtherKinds,
        clock: any WallClock = SystemClock(), aliveFor: Duration = .seconds(3)
    ) {
        self.kind = kind
        self.runtime = runtime
        self.others = others
        records = WorkloadRecords(paths: paths)
        claims = WorkloadClaims(paths: paths)
        hostRuntime = paths.hostRuntime
        self.clock = clock
        self.aliveFor = aliveFor
    }

    /// See `WorkloadApplying`.
    public func apply(_ request: WorkloadRequest, events: @escaping @Sendable (ApplyEvent) -> Void)
        async throws -> ApplyOutcome
    {
        let deadline = ContinuousClock.now + request.timeout
        let name = try await claims.lock(request.workload, until: deadline)
        let lock = try await records.lock(request.workload, until: deadline)
        let run = RolloutRun(rollout: self, request: request, deadline: deadline, events: events)
        let outcome = try await run.apply()
        lock.keep()
        name.keep()
        return outcome
    }

    /// See `WorkloadApplying`.
    public func plan(_ request: WorkloadRequest) async throws -> [ServicePlan] {
        let plan = try await runtime.resolve(request)
        let record = try records.read(request.workload)
        try checkClaim(request, record)
        try checkCycle(of: request.workload, after: plan?.after ?? [])
        let decision = try await decide(record, plan)
        return [
            ServicePlan(service: request.workload.text, change: decision.change, reasons: decision.reasons)
        ]
    }

    /// What becomes of a workload.
    func decide(_ record: WorkloadRecord?, _ plan: RolloutPlan<Runtime.Spec>?) async throws
        -> RolloutDecision
    {
        var state: InstanceState<Runtime.Spec>?
        if let record { state = try await runtime.state(of: record.instance) }
        let wanted = plan.map { plan in
            RolloutDecision.Wanted(
                fingerprint: plan.fingerprint,
                differences: state.map { runtime.differences($0.spec, plan.spec) } ?? [])
        }
        return RolloutDecision.decide(record: record, state: state, wanted: wanted)
    }

    /// See `WorkloadApplying`.
    public func status(of workload: Name) async throws -> WorkloadStatus {
        var status = WorkloadStatus(workload: workload.text)
        guard let record = try records.read(workload) else { return status }
        status.desiredRevision = record.revision
        status.desiredConfig = record.fingerprint.description
        status.images = record.images?.mapValues(\.description)
        status.after = record.after?.map(\.text)
        guard let state = try await runtime.state(of: record.instance) else { return status }
        let runs = state.state != .exited && state.state != .absent
        let started = record.history?.last { $0.generation == record.generation }?.revision
        status.actualRevision = runs ? state.revision ?? started : nil
        status.state = state.state
        status.health = state.health
        status.since = state.since
        status.restarts = state.restarts
        // Records of older versions have only the digest.
        if record.images == nil, record.image != nil {
            status.images = state.images?.mapValues(\.description)
        }
        status.actualConfig =
            (record.started ?? state.config) == state.config
            ? status.desiredConfig : state.config.description
        status.stopped = runs ? nil : state.stopped
        return status
    }

    /// See `WorkloadApplying`.
    public func list() async throws -> [WorkloadStatus] {
        var all: [WorkloadStatus] = []
        for workload in try records.all() { all.append(try await status(of: workload)) }
        return all
    }

    /// See `WorkloadApplying`.
    public func remove(_ workload: Name, withVolumes: Bool, timeout: Duration) async throws -> WorkloadRemoval
    {
        let deadline = ContinuousClock.now + timeout
        let name = try await claims.lock(workload, until: deadline)
        let lock = try await records.lock(workload, until: deadline)
        let record = try records.read(workload)
        let instances = try await runtime.instances(of: workload)
        let volumes = withVolumes ? try await runtime.volumes(of: workload) : []
        guard record != nil || !instances.isEmpty || !volumes.isEmpty else {
            try claims.release(workload, kind: kind)
            throw VoltError(.notFound, "there is no workload '\(workload)'")
        }
        try await runtime.withdraw(workload)
        for instance in instances { try await runtime.remove(instance) }
        for volume in volumes { try await runtime.removeVolume(volume) }
        try await runtime.cleanUp(workload, keeping: [])
        // Last, so that a removal that was cut off is found and finished by the next one.
        try records.remove(workload)
        try claims.release(workload, kind: kind)
        lock.keep()
        name.keep()
        return WorkloadRemoval(instances: instances.map(\.text), volumes: volumes)
    }
}
