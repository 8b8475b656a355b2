internal import VoltCore
internal import VoltSystem
internal import VoltWorkload
internal import VoltWorkloadTool

extension Deployer {
    /// Runs `volt-<kind> apply` and follows its events.
    func apply(
        _ tool: WorkloadTool, _ manifest: FoundManifest, _ snapshot: Snapshot, limit: Duration,
        _ run: AttemptRun
    ) throws(VoltError) -> ApplyStatus {
        let images = try earlierImages(tool, run)
        let request = ApplyRequest(
            workload: run.pipeline.workload, manifest: manifest.file, source: manifest.source,
            revision: snapshot.commit, images: images, replacedKinds: run.otherKinds)
        // Before the tool starts: a server that dies in between leaves a note for the next one.
        try journal.setInterrupted(true, run.attempt.pipeline)
        try journal.markKinds(tool.kind, others: run.otherKinds, attempt: run.attempt.id)
        let attempt = run.attempt.id
        let end: ApplyEnd
        do throws(VoltError) {
            end = try tool.apply(
                request, limit: limit,
                started: { (pid) throws(VoltError) in
                    run.wasApplied = true
                    try journal.setChild(pid: pid, start: Processes.startTime(pid) ?? 0, attempt: attempt)
                },
                stop: {
                    try? flush(run, all: false)
                    return asksToStop(run) != nil
                },
                progress: { (news) throws(VoltError) in
                    switch news {
                    case .step(let step, .started, _): try enter(step.attemptState, run)
                    case .step: break
                    case .log(let text, let service):
                        run.log.append(service.map { "\($0): \(text)" } ?? text)
                        try flush(run, all: false)
                    }
                })
        } catch {
            try journal.unmarkKinds(attempt: attempt)
            try journal.setInterrupted(false, run.attempt.pipeline)
            throw error
        }
        if end.isUndone { try journal.unmarkKinds(attempt: attempt) }
        // One that ended by itself has undone or finished what it did, as the contract says. Where another kind had
        // the workload, it is finished when that one has given it up.
        if end.isSettled, end.isUndone || run.otherKinds.isEmpty {
            try journal.setInterrupted(false, run.attempt.pipeline)
        }
        let status = try end.status()
        // A tool that does not say keeps what it was given.
        run.images = end.images ?? images
        return status
    }
}

extension Deployer {
    /// Removes the workload from the kinds that had it before, after the new one is healthy.
    func removeOthers(_ run: AttemptRun) throws(VoltError) {
        guard !run.otherKinds.isEmpty else { return }
        let change = KindChange(journal: journal, reader: WorkloadReader(paths: paths, kinds: kinds))
        var lines: [String] = []
        let failures = try change.remove(from: run.otherKinds, run.pipeline) { lines.append($0) }
        run.log += lines
        run.leftKinds = failures.sorted { $0.key < $1.key }.map { kind, reason in
            "; that of kind '\(kind)' is not removed yet: \(reason)"
        }.joined()
        try flush(run, all: true)
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
