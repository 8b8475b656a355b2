internal import VoltCore
internal import VoltSystem
internal import VoltWorkload
internal import VoltWorkloadTool

extension Deployer {
    /// Runs `volt-<kind> apply` and follows its events.
    func apply(
        _ tool: WorkloadTool, _ manifest: FoundManifest, _ snapshot: Snapshot, limit: Duration,
        _ work: inout Work
    ) throws(VoltError) -> ApplyStatus {
        let images = try earlierImages(tool, &work)
        let request = ApplyRequest(
            workload: work.pipeline.workload, manifest: manifest.file, source: manifest.source,
            revision: snapshot.commit, images: images)
        // Before the tool starts: a server that dies in between leaves a note for the next one.
        try journal.setUnsettled(true, work.attempt.pipeline)
        let attempt = work.attempt.id
        var state = work
        state.wasApplied = true
        let end: ApplyEnd
        do throws(VoltError) {
            end = try tool.apply(
                request, limit: limit,
                started: { (pid) throws(VoltError) in
                    try journal.setChild(pid: pid, start: Processes.startTime(pid) ?? 0, attempt: attempt)
                },
                stop: {
                    try? flush(&state, all: false)
                    return asksToStop(&state) != nil
                },
                progress: { (news) throws(VoltError) in
                    switch news {
                    case .step(let step, .started, _): try enter(step.attemptState, &state)
                    case .step: break
                    case .log(let text, let service):
                        state.log.append(service.map { "\($0): \(text)" } ?? text)
                        try flush(&state, all: false)
                    }
                })
        } catch {
            try journal.setUnsettled(false, work.attempt.pipeline)
            throw error
        }
        work = state
        // One that ended by itself has undone or finished what it did, as the contract says.
        if end.isSettled { try journal.setUnsettled(false, work.attempt.pipeline) }
        let status = try end.status()
        // A tool that does not say keeps what it was given.
        work.images = end.images ?? images
        return status
    }
}

extension ApplyStep {
    /// The state of the journal that a step stands for.
    var attemptState: AttemptState {
        switch self {
        case .prepare: .building
        case .start: .starting
        case .check: .checking
        case .switch, .stopOld: .switching
        }
    }
}
