public import VoltCore
internal import VoltSystem

extension Gitops {
    var gatekeeper: Gatekeeper {
        let reader = workloads
        return Gatekeeper(clock: clock, zones: zones, health: { reader.health(of: $0, $1) })
    }

    /// Looks at the workloads while a server runs.
    func driftWatch(log: @escaping @Sendable (String) -> Void, queued: @escaping @Sendable () -> Void)
        -> DriftWatch
    {
        DriftWatch(
            paths: paths, clock: clock,
            reader: workloads, log: log,
            queued: queued)
    }

    // MARK: Suspension

    /// Makes a pipeline wait: what is under way ends, and what comes is kept in the queue.
    ///
    /// - Parameters:
    ///   - reason: why, for people; may be empty.
    ///   - by: who.
    public func suspend(_ name: String, reason: String, by: String) throws(VoltError) {
        let journal = try journal()
        _ = try journal.pipeline(name)
        try journal.suspend(name, Suspension(reason: Self.oneLine(reason), by: by, at: clock.now()))
        wakeServer()
    }

    /// Lets a pipeline deploy again; the newest of what waits is deployed.
    ///
    /// - Returns: false when it was not suspended.
    public func resume(_ name: String) throws(VoltError) -> Bool {
        let journal = try journal()
        _ = try journal.pipeline(name)
        guard try journal.suspension(of: name) != nil else { return false }
        try journal.suspend(name, nil)
        wakeServer()
        return true
    }

    func refuseSuspended(_ name: String, _ journal: Journal) throws(VoltError) {
        guard let suspension = try journal.suspension(of: name) else { return }
        throw VoltError(
            .refused, "pipeline '\(name)' is \(suspension.text)",
            hint: "run 'volt gitops resume --name \(name)', or deploy now with --force")
    }

    // MARK: Windows

    /// Adds a deploy window to a pipeline.
    ///
    /// - Throws: `VoltError`; code `conflict` when the pipeline has it already.
    public func addWindow(_ window: DeployWindow, to name: String) throws(VoltError) {
        _ = try zones.rules(window.zone)
        try change(name) { (control) throws(VoltError) in
            guard control.windows?.contains(window) != true else {
                throw VoltError(.conflict, "pipeline '\(name)' has the window '\(window.text)' already")
            }
            control.windows = (control.windows ?? []) + [window]
        }
    }

    /// Removes a deploy window of a pipeline.
    ///
    /// - Parameter number: counted from 1, in the order of the list.
    /// - Returns: the window.
    /// - Throws: `VoltError`; code `notFound` when there is none with the number.
    @discardableResult
    public func removeWindow(_ number: Int, of name: String) throws(VoltError) -> DeployWindow {
        var removed: DeployWindow?
        try change(name) { (control) throws(VoltError) in
            var windows = control.windows ?? []
            guard windows.indices.contains(number - 1) else {
                throw VoltError(
                    .notFound, "pipeline '\(name)' has no window \(number)",
                    hint: "'volt gitops window list --name \(name)' shows those there are")
            }
            removed = windows.remove(at: number - 1)
            control.windows = windows.isEmpty ? nil : windows
        }
        guard let removed else { throw VoltError(.failed, "no window was removed") }
        return removed
    }

    /// A window of a pipeline as it is now.
    public struct WindowState: Encodable, Sendable {
        /// Counted from 1.
        public var number: Int
        /// The window as it is written.
        public var window: String
        /// Whether its time is now; a deny window forbids deploys then.
        public var isOpen: Bool
        /// What it does now.
        public var effect: Effect
        /// When it closes, or when it opens next.
        public var changesAt: Timestamp?

        /// What a window does.
        public enum Effect: String, Encodable, Sendable {
            /// An allow window at its time, and outside of it.
            case open, closed
            /// A deny window at its time.
            case forbids
            /// A deny window outside of its time.
            case idle
        }
    }

    /// The windows of a pipeline and where they are now.
    public func windows(of name: String) throws(VoltError) -> [WindowState] {
        let now = clock.now().milliseconds.floorDivided(by: 1000)
        var states: [WindowState] = []
        for (index, window) in (try journal().pipeline(name).control?.windows ?? []).enumerated() {
            let clock = WindowClock(
                cron: try CronExpression(window.cron), seconds: window.seconds,
                zone: try zones.rules(window.zone))
            let closes = clock.closes(at: now)
            let change = closes ?? clock.next(after: now)
            states.append(
                WindowState(
                    number: index + 1, window: window.text, isOpen: closes != nil,
                    effect: window.effect == .deny
                        ? (closes == nil ? .idle : .forbids) : (closes == nil ? .closed : .open),
                    changesAt: change.map { Timestamp(milliseconds: $0 * 1000) }))
        }
        return states
    }

    // MARK: Settings

    /// Changes the settings of a pipeline, and gives them as they are then.
    ///
    /// - Parameter body: leaves them as they are to look at them only.
    /// - Throws: `VoltError`; code `usage` or `notFound` for settings that `create` refuses, too.
    public func control(_ name: String, _ body: (inout ControlOptions) -> Void) throws(VoltError)
        -> ControlOptions
    {
        let journal = try journal()
        let (changed, result) = try journal.transaction { () throws(VoltError) in
            var pipeline = try journal.pipeline(name)
            let old = pipeline.control ?? ControlOptions()
            var control = old
            body(&control)
            guard control != old else { return (false, control) }
            try check(control, of: pipeline.name, among: try journal.pipelines())
            pipeline.control = control
            try journal.update(pipeline)
            return (true, control)
        }
        if changed { wakeServer() }
        return result
    }

    private func change(_ name: String, _ body: (inout ControlOptions) throws(VoltError) -> Void)
        throws(VoltError)
    {
        let journal = try journal()
        try journal.transaction { () throws(VoltError) in
            var pipeline = try journal.pipeline(name)
            var control = pipeline.control ?? ControlOptions()
            try body(&control)
            pipeline.control = control
            try journal.update(pipeline)
        }
        wakeServer()
    }

    // MARK: Approval

    /// Decides about a commit that waits, or will wait, for approval.
    ///
    /// - Parameters:
    ///   - subject: the number of an attempt or the beginning of a commit id; nil for the one that waits, when it did
    ///     not take the place of another one that waited.
    ///   - by: who decides.
    ///   - reason: why, for people; may be empty.
    /// - Returns: the verdict as it was written.
    /// - Throws: `VoltError`; code `notFound` when nothing that waits is meant, `conflict` when it is no longer
    ///   the newest.
    public func decide(_ name: String, on subject: String?, approves: Bool, by: String, reason: String)
        throws(VoltError) -> Verdict
    {
        let journal = try journal()
        let verdict = try journal.transaction { () throws(VoltError) in
            let pipeline = try journal.pipeline(name)
            guard pipeline.control?.requiresApproval == true else {
                throw VoltError(
                    .conflict, "pipeline '\(name)' needs no approval",
                    hint: "only pipelines created with --require-approval wait for one")
            }
            let (waiting, commit) = try waiting(of: name, subject, approves: approves, journal)
            let verdict = Verdict(
                commit: commit, isApproved: approves, by: by, reason: Self.oneLine(reason), at: clock.now())
            let origin = waiting.origin(in: pipeline)
            try journal.record(verdict, origin: origin, of: name)
            if approves {
                try journal.holds.release(commit, origin: origin, of: name)
            } else {
                try journal.holds.hold(
                    commit, origin: origin, of: name, configuration: nil, reason: "rejected by \(by)",
                    at: verdict.at)
            }
            return verdict
        }
        wakeServer()
        return verdict
    }

    /// The attempt that waits for approval, with its commit, when it is the one that a person means.
    private func waiting(of name: String, _ subject: String?, approves: Bool, _ journal: Journal)
        throws(VoltError) -> (Attempt, String)
    {
        let open = try journal.open(of: name).filter { $0.target == nil }
        if let newest = open.last, newest.isToBeFetched {
            let what = newest.commit.map { "at commit \($0.prefix(12)) " } ?? ""
            throw VoltError(
                .conflict, "attempt \(newest.id) \(what)is the newest, and not fetched yet",
                hint: "the newest commit wins; wait until 'volt gitops status' shows that it waits")
        }
        guard let newest = open.last, newest.wait?.kind == .approval, let commit = newest.commit else {
            throw VoltError(
                .notFound, "no commit of pipeline '\(name)' waits for approval",
                hint: "'volt gitops logs --name \(name)' shows what became of the last ones")
        }
        let verb = "volt gitops \(approves ? "approve" : "reject") --name \(name)"
        let hint = "the newest commit wins; look at it, then run '\(verb) \(commit.prefix(12))'"
        guard let subject else {
            guard let before = try journal.waitedBefore(newest) else { return (newest, commit) }
            throw VoltError(
                .conflict,
                "commit \(before.prefix(12)) waited before, and \(commit.prefix(12)) of attempt \(newest.id) took its place",
                hint: hint)
        }
        let reference = CommitReference(subject)
        var isMeant = reference.means(commit)
        if let number = reference.number, try journal.hasGiven(number: number) {
            isMeant = number == newest.id
        }
        guard isMeant else {
            throw VoltError(
                .conflict,
                "'\(subject)' is not what waits: that is attempt \(newest.id) at commit \(commit.prefix(12))",
                hint: hint)
        }
        return (newest, commit)
    }

    // MARK: Checks

    /// What `create` checks of the options.
    ///
    /// - Throws: `VoltError`; code `usage` or `notFound`.
    func check(_ control: ControlOptions?, of name: Name, among pipelines: [Pipeline]) throws(VoltError) {
        guard let control else { return }
        for window in control.windows ?? [] { _ = try zones.rules(window.zone) }
        for other in control.after ?? [] where other != name {
            guard pipelines.contains(where: { $0.name == other }) else {
                throw VoltError(
                    .notFound, "there is no pipeline '\(other)' to come first",
                    hint: "create it before the one that waits for it")
            }
        }
        if let circle = Self.circle(from: name, after: control.after ?? [], among: pipelines) {
            throw VoltError(
                .usage,
                "pipelines would wait for each other: \(circle.map(\.text).joined(separator: " after "))",
                hint: "leave one --after out")
        }
        let ranges: [(String, Int64?, ClosedRange<Int64>)] = [
            ("wait for other pipelines", control.afterTimeout, 1...86_400 * 7),
            ("drift interval", control.driftInterval, 1...86_400),
        ]
        for case (let what, let value?, let range) in ranges where !range.contains(value) {
            throw VoltError(
                .usage, "a \(what) of \(value) s is out of range",
                hint: "use \(range.lowerBound) to \(range.upperBound) seconds")
        }
        if control.allowsEmpty == true, control.prunes != true {
            throw VoltError(.usage, "--allow-empty means nothing without --prune")
        }
    }

    /// The way from a pipeline through those that come before it back to itself, or nil.
    static func circle(from name: Name, after: [Name], among pipelines: [Pipeline]) -> [Name]? {
        func search(_ current: Name, _ path: [Name]) -> [Name]? {
            if current == name { return path + [current] }
            guard !path.contains(current) else { return nil }
            let before = pipelines.first { $0.name == current }?.control?.after ?? []
            for next in before { if let found = search(next, path + [current]) { return found } }
            return nil
        }
        for next in after { if let found = search(next, [name]) { return found } }
        return nil
    }

    private static func oneLine(_ text: String) -> String {
        String(text.map { $0.isNewline ? " " : $0 }.prefix(500))
    }
}
