internal import GitopsSource
internal import VoltCore
internal import VoltSystem

extension Deployer {
    /// What the attempt's commit has to fulfil; nil for nothing.
    func conditions(_ run: AttemptRun) throws(VoltError) -> SourceConditions? {
        let isAsked = run.attempt.trigger == .manual || run.attempt.trigger == .drift
        return try journal.conditions(
            of: run.pipeline, isAsked: isAsked,
            isForced: try journal.has(.forced, attempt: run.attempt.id))
    }

    /// Keeps the ref that was taken, and ends the attempt when its commit is not to be applied.
    ///
    /// - Returns: whether it has ended.
    func endsUntaken(_ source: Snapshot, _ run: AttemptRun) throws(VoltError) -> Bool {
        if let ref = source.ref { try journal.setRef(ref, attempt: run.attempt.id) }
        let note = run.attempt.note
        if let decline = source.decline {
            if let hint = decline.hint { run.log.append("hint: \(hint)") }
            try journal.transaction { () throws(VoltError) in
                try journal.holds.hold(
                    source.commit, origin: source.origin, of: run.attempt.pipeline,
                    configuration: run.pipeline.configuration,
                    reason: decline.reason, advice: decline.hint, at: clock.now())
                try journal.mark(run.attempt.id, .declined, decline.reason)
            }
            try finish(.held, "\(note), held: \(decline.reason)", "held because \(decline.reason)", run)
            return true
        }
        // It is taken now, whatever was wrong with it before.
        if run.pipeline.track != nil { try journal.releaseDeclined(source.commit, of: run.pipeline) }
        guard source.isUnaffected, let deployed = run.deployed else { return false }
        try journal.mark(run.attempt.id, .skipped)
        try finish(
            .done, "\(note), no file that matters changed",
            "nothing to do: no file that matters changed since \(Self.short(deployed.commit))", run)
        forgetSkipped(of: run.pipeline, but: source.name)
        return true
    }

    /// Removes the snapshots of commits that were never applied; nothing runs from them.
    private func forgetSkipped(of pipeline: Pipeline, but newest: String) {
        // What cannot be removed now is removed after the next deploy.
        guard let names = try? journal.skippedSnapshots(of: pipeline.name.text) else { return }
        let directory = paths.snapshots(pipeline.name)
        for name in names where name != newest {
            try? Files.removeTree("\(directory)/\(name)")
        }
    }
}
