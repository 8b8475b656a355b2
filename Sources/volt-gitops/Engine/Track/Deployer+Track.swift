internal import GitopsSource
internal import VoltCore
internal import VoltSystem

extension Deployer {
    /// What the attempt's commit has to fulfil; nil for nothing.
    func conditions(_ work: Work) throws(VoltError) -> SourceConditions? {
        let isAsked = work.attempt.trigger == .manual || work.attempt.trigger == .drift
        return try journal.conditions(
            of: work.pipeline, isAsked: isAsked,
            isForced: try journal.has(.forced, attempt: work.attempt.id))
    }

    /// Keeps the ref that was taken, and ends the attempt when its commit is not to be applied.
    ///
    /// - Returns: whether it has ended.
    func endsUntaken(_ source: Snapshot, _ work: inout Work) throws(VoltError) -> Bool {
        if let ref = source.ref { try journal.setRef(ref, attempt: work.attempt.id) }
        let note = work.attempt.note
        if let decline = source.decline {
            if let hint = decline.hint { work.log.append("hint: \(hint)") }
            try journal.transaction { () throws(VoltError) in
                try journal.hold(
                    source.commit, origin: source.origin, of: work.attempt.pipeline,
                    configuration: work.pipeline.configuration,
                    reason: decline.reason, advice: decline.hint, at: clock.now())
                try journal.mark(work.attempt.id, .declined, decline.reason)
            }
            try finish(.held, "\(note), held: \(decline.reason)", "held because \(decline.reason)", &work)
            return true
        }
        // It is taken now, whatever was wrong with it before.
        if work.pipeline.track != nil { try journal.releaseDeclined(source.commit, of: work.pipeline) }
        guard source.isUnaffected, let deployed = work.deployed else { return false }
        try journal.mark(work.attempt.id, .skipped)
        try finish(
            .done, "\(note), no file that matters changed",
            "nothing to do: no file that matters changed since \(Self.short(deployed.commit))", &work)
        forgetSkipped(of: work.pipeline, but: source.name)
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
