internal import Dispatch
internal import Synchronization
internal import VoltCore

/// What an attempt knows of the newest one that waits behind it.
struct CompetingAttempt {
    /// Its number, 0 for none.
    var id: Int64 = 0
    /// Since when it is known.
    var since = ContinuousClock.now
    /// What the branch points to since it is known.
    var tip: TipLookup?
}

/// Asks for the tip of a branch in the background, because an attempt goes on meanwhile.
final class TipLookup: Sendable {
    /// How a lookup ended.
    enum Answer: Sendable, Equatable {
        case tip(String)
        case unknown
    }

    private let answer = Mutex<Answer?>(nil)

    init(_ reader: SourceReader, _ pipeline: Pipeline) {
        DispatchQueue.global().async { [self] in
            let tip = try? reader.tip(of: pipeline, limit: Scheduler.pollLimit)
            answer.withLock { $0 = tip.map { .tip($0.commit) } ?? .unknown }
        }
    }

    /// The answer, or nil while there is none.
    var value: Answer? { answer.withLock { $0 } }
}

extension Deployer {
    /// Attempts in a row that may give way to a newer one: a repository that gets commits faster than they
    /// are deployed has one deployed now and then all the same.
    static let longestSupersededRun = 5
    /// How long a newer attempt waits for a fetch, which may bring its commit anyway.
    static let fetchGrace = Duration.seconds(2)

    /// Whether the attempt is to be given up; the journal is looked at twice a second.
    func asksToStop(_ run: AttemptRun) -> Stop? {
        if let stop = run.stop { return stop }
        if shutsDown() { run.stop = .shutdown }
        let now = ContinuousClock.now
        guard run.stop == nil, now >= run.nextLook else { return run.stop }
        run.nextLook = now + .milliseconds(500)
        let name = run.attempt.pipeline
        // A journal that cannot be read now is no reason to give up.
        guard let known = try? journal.attempt(run.attempt.id) else {
            if (try? journal.pipelines())?.contains(where: { $0.name.text == name }) == false {
                run.stop = .deleted
            }
            return run.stop
        }
        guard known.finishedAt == nil, run.state.isCancellable, let next = try? journal.nextQueued(of: name),
            next.id > run.attempt.id, (try? gatekeeper.maySupersede(next, run.pipeline, journal)) == true,
            let why = reason(toGiveWayTo: next, run)
        else { return nil }
        run.stop = .superseded(by: next.id, why: why)
        return run.stop
    }

    /// Why a queued attempt takes the place of this one; nil while it does not.
    private func reason(toGiveWayTo next: Attempt, _ run: AttemptRun) -> String? {
        if next.trigger == .rollback, let target = next.target {
            return "a rollback to \(Self.short(target)) was asked for"
        }
        // What brings a workload back is not given up for what may break it again.
        guard run.attempt.trigger != .rollback else { return nil }
        if run.competing.id != next.id { run.competing = CompetingAttempt(id: next.id) }
        let ours = run.commit ?? run.attempt.commit
        if let ours, next.commit == ours { return nil }
        if run.state == .fetching, ContinuousClock.now - run.competing.since < Self.fetchGrace { return nil }
        guard let ours else { return "attempt \(next.id) was queued while nothing was fetched yet" }
        // Deliveries come in any order, so the repository is asked what is newest.
        let lookup = run.competing.tip ?? TipLookup(reader, run.pipeline)
        run.competing.tip = lookup
        let newer: String?
        switch lookup.value {
        case nil: return nil
        case .tip(let tip): newer = tip
        case .unknown: newer = next.commit
        }
        guard let newer, newer != ours,
            (try? journal.supersededInARow(of: run.attempt.pipeline)) ?? 0 < Self.longestSupersededRun
        else { return nil }
        return
            "the newer commit \(Self.short(newer)) came while \(Self.short(ours)) was \(run.state.rawValue)"
    }
}
