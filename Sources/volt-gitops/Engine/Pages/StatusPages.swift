internal import VoltCore
internal import VoltPages
internal import VoltServer
internal import VoltSystem

/// The read-only pages of `serve --ui`: no script, no asset of another place, nothing to press.
struct StatusPages {
    /// Attempts on a pipeline's page.
    static let historyLimit = 50
    /// Lines of a log on an attempt's page.
    static let logLimit = 2000

    let journal: Journal
    let clock: any WallClock

    /// The page at a path; nil when there is none.
    func page(_ path: String) throws(VoltError) -> HTTPResponse? {
        let parts = path.split(separator: "/").map(String.init)
        switch (parts.first, parts.count) {
        case (nil, _): return try overview()
        case ("pipelines", 2): return try pipeline(parts[1])
        case ("attempts", 2):
            // One way to write a number.
            guard let id = Int64(parts[1]), String(id) == parts[1] else { return nil }
            return try attempt(id)
        default: return nil
        }
    }

    private func overview() throws(VoltError) -> HTTPResponse {
        let now = clock.now()
        var rows: [HTML] = []
        var isBusy = false
        for pipeline in try journal.pipelines() {
            let name = pipeline.name.text
            let state = try journal.state(of: pipeline)
            let success = try journal.lastSuccess(of: name)
            let poll = try journal.poll(of: name)
            isBusy = isBusy || state.last.map { $0.finishedAt == nil } ?? false
            let why: HTML =
                state.word == .success ? "" : state.why.map { "<br><small>\($0)</small>" } ?? ""
            let trouble: HTML = poll.error.map { "<br><small>the last poll failed: \($0)</small>" } ?? ""
            rows.append(
                """
                <tr><td><a href="/pipelines/\(name)">\(name)</a>\(trouble)</td>\
                <td>\(Self.badge(state.word))\(why)</td><td>\(pipeline.branch)</td>\
                <td>\(Self.short(success?.commit))</td>\
                <td>\(success?.finishedAt.map { $0.relative(to: now) } ?? "never")</td>\
                <td>\(pipeline.workload.text)</td><td>\(pipeline.provider.rawValue)</td>\
                <td>\(pipeline.repo)</td></tr>

                """)
        }
        let none: HTML =
            rows.isEmpty ? "<p>There is no pipeline yet: 'volt gitops create' makes one.</p>" : ""
        return page(
            "Pipelines", isBusy: isBusy,
            """
            <h1>Pipelines</h1>
            <table><thead><tr><th>Name</th><th>Status</th><th>Branch</th><th>Commit</th><th>Last deploy</th>\
            <th>Workload</th><th>Provider</th><th>Repository</th></tr></thead><tbody>
            \(rows)</tbody></table>
            \(none)
            """)
    }

    private func pipeline(_ name: String) throws(VoltError) -> HTTPResponse? {
        guard let pipeline = try journal.pipelines().first(where: { $0.name.text == name }) else {
            return nil
        }
        let state = try journal.state(of: pipeline)
        let stray: HTML =
            try journal.stray(of: pipeline).map { "<p>\($0.text) (\(StrayDelivery.hint))</p>" } ?? ""
        let attempts = try journal.history(of: name, limit: Self.historyLimit)
        let rows = attempts.map { attempt -> HTML in
            """
            <tr><td><a href="/attempts/\(attempt.id)">\(attempt.id)</a></td>\
            <td>\(attempt.acceptedAt.tableText)</td><td>\(Self.short(attempt.commit))</td>\
            <td>\(Self.badge(attempt.word))</td><td>\(duration(of: attempt))</td>\
            <td>\(attempt.note)<br><small>\(attempt.decision ?? attempt.wait?.reason ?? "")</small></td></tr>

            """
        }
        return page(
            name, isBusy: attempts.contains { $0.finishedAt == nil },
            """
            <p><a href="/">All pipelines</a></p>
            <h1>\(name)</h1>
            <p>Branch \(pipeline.branch) of \(pipeline.repo) to workload \(pipeline.workload.text)</p>
            <p>\(Self.badge(state.word)) \(state.why ?? "")</p>
            \(stray)
            <table><thead><tr><th>Attempt</th><th>Time (UTC)</th><th>Commit</th><th>Status</th>\
            <th>Duration</th><th>Notes</th></tr></thead><tbody>
            \(rows)</tbody></table>
            """)
    }

    private func attempt(_ id: Int64) throws(VoltError) -> HTTPResponse? {
        guard let attempt = try journal.attempt(id) else { return nil }
        let steps = try journal.steps(of: id)
        let rows = steps.enumerated().map { index, step -> HTML in
            let end = index + 1 < steps.count ? steps[index + 1].at : attempt.finishedAt ?? clock.now()
            return
                "<tr><td>\(step.state.rawValue)</td><td>\(step.at.tableText)</td><td>\(DurationText.format(end.since(step.at)))</td></tr>\n"
        }
        let log = try journal.log(of: id, last: Self.logLimit).joined(separator: "\n")
        return page(
            "\(attempt.pipeline), attempt \(id)", isBusy: attempt.finishedAt == nil,
            """
            <p><a href="/">All pipelines</a> · <a href="/pipelines/\(attempt.pipeline)">\(attempt.pipeline)</a></p>
            <h1>Attempt \(id) of \(attempt.pipeline)</h1>
            <dl><dt>Status</dt><dd>\(Self.badge(attempt.word))</dd>
            <dt>Why</dt><dd>\(attempt.why)</dd>
            <dt>Note</dt><dd>\(attempt.note)</dd>
            <dt>Trigger</dt><dd>\(attempt.trigger.rawValue)</dd>
            <dt>Delivery</dt><dd>\(attempt.delivery ?? "-")</dd>
            <dt>Branch</dt><dd>\(attempt.branch)</dd>
            <dt>Commit</dt><dd><code>\(attempt.commit ?? "-")</code></dd>
            <dt>Before</dt><dd><code>\(attempt.oldCommit ?? "-")</code></dd>
            <dt>Accepted</dt><dd>\(attempt.acceptedAt.tableText)</dd>
            <dt>Duration</dt><dd>\(duration(of: attempt))</dd></dl>
            <h2>Steps</h2>
            <table><thead><tr><th>Step</th><th>Time (UTC)</th><th>Duration</th></tr></thead><tbody>
            \(rows)</tbody></table>
            <h2>Log</h2>
            <pre>\(log)</pre>
            """)
    }

    private func duration(of attempt: Attempt) -> String {
        guard let start = attempt.startedAt else { return "-" }
        return DurationText.format((attempt.finishedAt ?? clock.now()).since(start))
    }

    private static func short(_ commit: String?) -> HTML {
        commit.map { "<code>\(String($0.prefix(7)))</code>" } ?? "-"
    }

    private static func badge(_ word: PipelineState.Word) -> HTML {
        let kind =
            switch word {
            case .success: "good"
            case .failed, .held, .interrupted, .drifted, .rolledBack: "bad"
            case .queued, .deploying, .suspended, .waiting, .waitingForApproval, .unseen: "busy"
            case .never, .superseded: "none"
            }
        return "<span class=\"\(kind)\">\(word.rawValue)</span>"
    }

    /// A page about something that is under way loads itself again.
    private func page(_ title: String, isBusy: Bool, _ body: HTML) -> HTTPResponse {
        Page.response("\(title) - volt gitops", refresh: isBusy ? 3 : nil, body)
    }
}
