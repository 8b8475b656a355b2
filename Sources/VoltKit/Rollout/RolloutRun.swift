internal import VoltCore
internal import VoltSystem
internal import VoltWorkload

/// One apply, with the locks of the workload held.
struct RolloutRun<Runtime: RolloutRuntime> {
    let rollout: Rollout<Runtime>
    let request: WorkloadRequest
    let deadline: ContinuousClock.Instant
    let events: @Sendable (ApplyEvent) -> Void

    private var runtime: Runtime { rollout.runtime }
    private var workload: Name { request.workload }

    func apply() async throws -> ApplyOutcome {
        try rollout.checkClaim(request, try rollout.records.read(workload))
        let record = try await recover()
        let plan = try await step(.prepare) {
            let plan = try await runtime.prepare(request) { [events] in events(.log(stream: $0, line: $1)) }
            try rollout.checkCycle(of: workload, after: plan.after)
            return plan
        }
        if let record, try await rollout.decide(record, plan).change == .unchanged {
            return try await unchanged(record, plan)
        }
        try await rollout.wait(for: plan.after, of: workload, until: deadline, events: events)

        let numbers = try await runtime.instances(of: workload).compactMap(\.generation)
        let generation = max(record?.generation ?? 0, numbers.max() ?? 0) + 1
        let instance = try Name.instance(of: workload, generation: generation)
        let applied = AppliedRevision(revision: request.revision, generation: generation)
        let history = AppliedRevision.newest(of: applied.added(to: record))
        do {
            let started = try await step(.start) { try await runtime.start(plan.spec, as: instance) }
            try await step(.check) {
                try await HealthGate(runtime: runtime, deadline: deadline, aliveFor: rollout.aliveFor).wait(
                    for: instance, plan)
            }
            try Task.checkCancellation()
            try await step(.switch) {
                // First: what the record says can be applied again is never collected.
                try await runtime.keep(plan, of: workload, generation: generation)
                try await runtime.publish(workload, to: instance)
                var next = WorkloadRecord(
                    generation: generation, instance: instance, fingerprint: plan.fingerprint,
                    started: started, revision: request.revision, image: plan.image,
                    deployed: rollout.clock.now())
                next.images = plan.images
                next.history = history
                next.after = plan.after.isEmpty ? nil : plan.after
                try rollout.claims.set(workload, kind: rollout.kind)
                try rollout.records.write(next, workload)
            }
        } catch {
            // In a task of its own, because a cancelled one would be stopped while it cleans up.
            let showsLog = !(error is CancellationError)
            await Task { await rollBack(instance, record: record, showingLog: showsLog) }.value
            throw error
        }
        // The new instance is the workload from here on: nothing below undoes that.
        let kept = Set(history.map(\.generation))
        await Task { await stopOld(instance, keeping: kept) }.value
        return ApplyOutcome(
            status: .deployed, generation: instance.text,
            message: "'\(workload)' runs \(request.revision.prefix(12)) as '\(instance)'",
            images: plan.images)
    }

    // MARK: - Steps

    /// Removes what a command that died left, and points the ports to the instance that is the workload.
    private func recover() async throws -> WorkloadRecord? {
        let record = try rollout.records.read(workload)
        let all = try await runtime.instances(of: workload)
        let leftovers = all.filter { $0 != record?.instance }
        guard !leftovers.isEmpty else { return record }
        if let record, all.contains(record.instance) {
            // One that has ended takes no connection: its ports stay open for what takes its place.
            let state = try await runtime.state(of: record.instance)?.state
            if state != .exited { try await runtime.publish(workload, to: record.instance) }
        } else {
            try await runtime.withdraw(workload)
        }
        for leftover in leftovers { try await runtime.remove(leftover) }
        return record
    }

    private func unchanged(_ record: WorkloadRecord, _ plan: RolloutPlan<Runtime.Spec>) async throws
        -> ApplyOutcome
    {
        // A command that died between the record and the switch of the ports is made good here.
        try await runtime.publish(workload, to: record.instance)
        var updated = record
        updated.revision = request.revision
        updated.images = plan.images
        updated.after = plan.after.isEmpty ? nil : plan.after
        updated.history = AppliedRevision(revision: request.revision, generation: record.generation).added(
            to: record)
        // Workloads that earlier versions deployed have no claim yet.
        if try rollout.claims.kind(of: workload) != rollout.kind {
            try rollout.claims.set(workload, kind: rollout.kind)
        }
        if updated != record { try rollout.records.write(updated, workload) }
        return ApplyOutcome(
            status: .unchanged, generation: record.instance.text,
            message: "'\(workload)' already runs this as '\(record.instance)'", images: plan.images)
    }

    /// Removes the new instance after a failure; the ports point to the old one again.
    private func rollBack(_ instance: Name, record: WorkloadRecord?, showingLog: Bool) async {
        if showingLog, let lines = try? await runtime.lastLines(of: instance, count: 20) {
            for line in lines { events(.log(stream: line.stream, line: line.line)) }
        }
        // What fails here is a leftover, which the next command removes.
        if let record {
            try? await runtime.publish(workload, to: record.instance)
        } else {
            try? await runtime.withdraw(workload)
        }
        try? await runtime.remove(instance)
    }

    /// Removes the old instance, keeps what may be applied again, and drops what nothing needs. What fails is said,
    /// and is made good by the next apply.
    private func stopOld(_ instance: Name, keeping generations: Set<Int>) async {
        events(.step(.stopOld, .started, at: rollout.clock.now()))
        do {
            for old in try await runtime.instances(of: workload) where old != instance {
                try await runtime.remove(old)
            }
            events(.step(.stopOld, .done, at: rollout.clock.now()))
            try await runtime.cleanUp(workload, keeping: generations)
        } catch {
            events(
                .log(stream: "stderr", line: "not everything of the old generation is removed yet: \(error)"))
        }
    }

    private func step<Result>(_ step: ApplyStep, _ body: () async throws -> Result) async throws -> Result {
        try Task.checkCancellation()
        events(.step(step, .started, at: rollout.clock.now()))
        do {
            guard ContinuousClock.now < deadline else {
                throw VoltError(
                    .failed, "the time of \(DurationText.format(request.timeout)) is over",
                    hint: "give it more with --timeout")
            }
            let result = try await body()
            events(.step(step, .done, at: rollout.clock.now()))
            return result
        } catch {
            events(.step(step, .failed, at: rollout.clock.now()))
            throw error
        }
    }
}

extension Name {
    /// The name of a generation, `web-12`; a long one is cut, because a name has at most 63 characters.
    static func instance(of workload: Name, generation: Int) throws(VoltError) -> Name {
        let suffix = "-\(generation)"
        var base = String(workload.text.prefix(63 - suffix.count))
        while base.hasSuffix("-") { base.removeLast() }
        return try Name(base + suffix, of: "container")
    }

    /// The number behind the last hyphen.
    var generation: Int? { text.split(separator: "-").last.flatMap { Int($0) } }
}
