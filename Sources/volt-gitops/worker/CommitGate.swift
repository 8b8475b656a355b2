import GitopsSource
import VoltCore
import VoltGit

/// Says whether a commit that was fetched fulfils what its pipeline asks for.
struct CommitGate {
    /// Why a commit is not taken, and what can be done.
    struct Decline {
        let reason: String
        let hint: String?
    }

    /// Paths that are reported of a commit.
    private static let reported = 100

    private let conditions: SourceConditions
    private let target: GitTarget
    private let mirror: GitMirror
    private let home: String
    private let events: EventWriter

    /// - Parameter home: a directory in which nobody else writes while the mirror's lock is held.
    init(
        _ conditions: SourceConditions, target: GitTarget, mirror: GitMirror, home: String,
        events: EventWriter
    ) {
        self.conditions = conditions
        self.target = target
        self.mirror = mirror
        self.home = home
        self.events = events
    }

    /// Nil when the commit is taken.
    ///
    /// - Parameter ref: the reference that led to it.
    func decline(_ commit: String, ref: String?) throws -> Decline? {
        if let signers = conditions.signers {
            let check = try SignatureCheck(signers: signers, home: home)
            switch try verdict(check, commit, ref: ref) {
            case .signed(let signer): events.write(.signed(by: signer))
            case .refused(let why):
                return Decline(
                    reason: "commit \(commit.prefix(7)) \(why)",
                    hint: "sign it with a key that --require-signed names, then push again")
            }
        }
        guard let deployed = conditions.deployed, deployed != commit else { return nil }
        if let old = conditions.deployedTag, let tag = ref?.split(separator: "/", maxSplits: 2).last,
            TagOrder(String(tag)) < TagOrder(old)
        {
            return Decline(
                reason: "tag '\(old)', which is deployed, is gone, and '\(tag)' is lower",
                hint: "push the tag again, or go back to '\(tag)' with 'volt gitops sync --force'")
        }
        let isKnown = mirror.contains(deployed)
        if conditions.fastForwardOnly {
            guard isKnown, try mirror.descends(commit, from: deployed) else {
                return Decline(
                    reason:
                        "commit \(commit.prefix(7)) does not descend from \(deployed.prefix(7)), which is deployed (--fast-forward-only)",
                    hint: "push a commit that does, or take this one with 'volt gitops sync --force'")
            }
        }
        if let paths = conditions.paths, isKnown { try compare(commit, deployed, paths) }
        return nil
    }

    /// Of a pipeline that follows tags, the signature of the annotated tag is as good as that of the commit.
    private func verdict(_ check: SignatureCheck, _ commit: String, ref: String?) throws
        -> SignatureCheck.Verdict
    {
        let verdict = try check.verdict(try mirror.signature(of: commit))
        guard case .refused(let why) = verdict, case .tags(let pattern) = target else { return verdict }
        var refusals = [why]
        // An attempt that goes on knows its commit, and not by which tag.
        let tags =
            try ref.map { [String($0.dropFirst("refs/tags/".count))] }
            ?? mirror.tags(of: commit).filter(pattern.matches)
        for tag in tags {
            switch try check.verdict(try mirror.signature(ofTag: tag)) {
            case .signed(let signer): return .signed(by: signer)
            case .refused(let why): refusals.append("tag '\(tag)' \(why)")
            }
        }
        return .refused(refusals.joined(separator: ", and "))
    }

    private func compare(_ commit: String, _ deployed: String, _ patterns: [String]) throws {
        let filter = try PathFilter(patterns)
        let always = Set(conditions.always.map { Array($0.utf8) })
        let paths = try mirror.changedPaths(from: deployed, to: commit)
        let matter = paths.filter { always.contains($0) || filter.matches($0) }
        if matter.isEmpty {
            events.write(.note(message: "\(paths.count) changed file(s), none of which matters"))
            return events.write(.unaffected)
        }
        for path in matter.prefix(Self.reported) {
            events.write(.note(message: "changed: \(PrintableText.line(path.prefix(300)))"))
        }
        if matter.count > Self.reported {
            events.write(.note(message: "changed: \(matter.count - Self.reported) more"))
        }
    }
}
