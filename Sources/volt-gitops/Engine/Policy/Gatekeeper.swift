internal import Synchronization
internal import VoltCore
internal import VoltSystem

/// Judges the queue of a pipeline: which attempt may run, and why others wait. It changes nothing.
struct Gatekeeper: Sendable {
    let clock: any WallClock
    /// The database of time zones.
    let zones: ZoneCache
    /// Looks at the workload of a pipeline that comes first.
    let health: @Sendable (Pipeline, Journal) -> Gate.Dependency.Health

    /// The attempt that may run now, and what becomes of the others.
    ///
    /// - Parameter looks: whether the workloads of other pipelines may be looked at, which takes a while;
    ///   otherwise they count as healthy.
    func turn(of name: String, _ journal: Journal, looks: Bool) throws(VoltError) -> Turn {
        let pipeline = try journal.pipeline(name)
        var turn = Turn(pipeline: name)
        guard let newest = try journal.nextQueued(of: name) else { return turn }
        // A rollback takes the place of older ones only: what else is queued is judged once it has run.
        if newest.trigger != .rollback { turn.changes.append(.supersedeUnforced(before: newest.id)) }
        try judge(newest, pipeline, journal, looks: looks, &turn)
        guard turn.attempt == nil else { return turn }
        // A forced one does not wait behind a newer one that has to.
        guard let id = try journal.newestForced(of: name), id < newest.id,
            let forced = try journal.attempt(id)
        else { return turn }
        try judge(forced, pipeline, journal, looks: looks, &turn)
        return turn
    }

    private func judge(
        _ attempt: Attempt, _ pipeline: Pipeline, _ journal: Journal, looks: Bool, _ turn: inout Turn
    ) throws(VoltError) {
        switch try decide(attempt, pipeline, journal, looks: looks) {
        case .run:
            turn.attempt = attempt
            turn.changes.append(.supersedeQueued(before: attempt))
        case .wait(let kind, let reason, let until):
            let wait = Wait(kind: kind, reason: reason, until: until, since: clock.now())
            if let news = wait.news(since: attempt.wait) { turn.changes.append(.wait(attempt, news)) }
        case .end(let state, let reason): turn.changes.append(.end(attempt, state, reason: reason))
        }
    }

    /// Decides about an attempt whose commit was fetched: the second look, when the commit is known.
    ///
    /// - Returns: nil when it goes on; otherwise it is back in the queue or has ended.
    func decideFetched(_ attempt: Attempt, _ snapshot: Snapshot, _ pipeline: Pipeline, _ journal: Journal)
        throws(VoltError) -> Gate.Decision
    {
        guard pipeline.control?.requiresApproval == true else { return .run }
        var fetched = attempt
        fetched.commit = snapshot.commit
        fetched.origin = snapshot.origin
        fetched.startedAt = fetched.startedAt ?? clock.now()
        return try decide(fetched, pipeline, journal, looks: true)
    }

    /// Whether a queued attempt would run if nothing else did: only then may it take the place of a running one.
    func maySupersede(_ attempt: Attempt, _ pipeline: Pipeline, _ journal: Journal) throws(VoltError) -> Bool
    {
        if pipeline.control?.requiresApproval == true {
            guard let commit = attempt.commit,
                try journal.verdict(on: commit, origin: attempt.origin(in: pipeline), of: pipeline.name.text)?
                    .isApproved == true
            else { return false }
        }
        return try decide(attempt, pipeline, journal, looks: false) == .run
    }

    /// What would become of a push of a commit now.
    func outlook(for tip: Snapshot, _ pipeline: Pipeline, _ journal: Journal) throws(VoltError)
        -> Gate.Decision
    {
        var attempt = Attempt(
            id: 0, pipeline: pipeline.name.text, state: .fetching, trigger: .poll, branch: pipeline.branch,
            note: "plan", acceptedAt: clock.now())
        attempt.commit = tip.commit
        attempt.origin = tip.origin
        attempt.startedAt = clock.now()
        return try decide(attempt, pipeline, journal, looks: true)
    }

    private func decide(_ attempt: Attempt, _ pipeline: Pipeline, _ journal: Journal, looks: Bool)
        throws(VoltError) -> Gate.Decision
    {
        let name = pipeline.name.text
        var state = Gate.State()
        state.suspension = try journal.suspension(of: name)
        state.isForced = try journal.has(.forced, attempt: attempt.id)
        if let control = pipeline.control {
            state.isFetched = attempt.startedAt != nil && attempt.commit != nil
            if control.requiresApproval == true, let commit = attempt.commit {
                state.verdict = try journal.verdict(
                    on: commit, origin: attempt.origin(in: pipeline), of: name)
            }
            if let windows = control.windows, !windows.isEmpty {
                do throws(VoltError) {
                    state.windows = .success(try WindowPlan(windows, zones: zones.rules))
                } catch { state.windows = .failure(error) }
            }
            state.dependencies = try dependencies(control.after ?? [], journal, looks: looks)
            if let wait = attempt.wait, wait.kind == .after { state.waitsForDependenciesSince = wait.since }
        }
        return Gate.decide(pipeline: pipeline, attempt: attempt, state: state, now: clock.now())
    }

    private func dependencies(_ names: [Name], _ journal: Journal, looks: Bool) throws(VoltError)
        -> [Gate.Dependency]
    {
        guard !names.isEmpty else { return [] }
        let all = try journal.pipelines()
        var found: [Gate.Dependency] = []
        for name in names {
            var dependency = Gate.Dependency(name: name.text)
            if let pipeline = all.first(where: { $0.name == name }) {
                dependency.isBusy = try !journal.open(of: name.text).isEmpty
                dependency.last = try journal.history(of: name.text, limit: 1).first?.state
                if looks, !dependency.isBusy, dependency.last == .done || dependency.last == .unseen {
                    dependency.health = health(pipeline, journal)
                }
            } else {
                dependency.exists = false
            }
            found.append(dependency)
        }
        return found
    }
}

/// The rules of time zones that were read once.
final class ZoneCache: Sendable {
    private let directory: String
    private let known = Mutex<[String: ZoneRules]>([:])

    /// - Parameter directory: the database, `/usr/share/zoneinfo` on Debian.
    init(directory: String) { self.directory = directory }

    /// The rules of a zone by its name.
    ///
    /// - Throws: `VoltError` with code `usage` when there is no such zone.
    func rules(_ name: String) throws(VoltError) -> ZoneRules {
        if let rules = known.withLock({ $0[name] }) { return rules }
        let rules = try ZoneRules.read(name, from: directory)
        known.withLock { $0[name] = rules }
        return rules
    }
}
