import GitopsNotifications
import Testing
import VoltCore
import VoltSystem
import VoltTestKit

@testable import GitopsEngine

@Suite struct OutboxTests {
    private func journal(
        _ scratch: borrowing ScratchDirectory, onlyFailures: Bool = false, status: Bool = false
    )
        throws -> Journal
    {
        let journal = try Journal(state: scratch.path)
        var pipeline = Pipeline(
            name: try Name("site"), repo: "https://git.example/a/b", provider: .github, branch: "main",
            workload: try Name("web"), createdAt: Timestamp(milliseconds: 0))
        var settings = NotifySettings()
        settings.onlyFailures = onlyFailures
        settings.targets = [NotifyTarget(id: "t", kind: .webhook, shown: "https://a", addressFile: "/a")]
        if status {
            settings.status = StatusSettings(
                forge: .github, api: "https://a", repository: "a/b", tokenFile: "/t", context: "volt/site")
        }
        pipeline.notify = settings
        try journal.add(pipeline)
        return journal
    }

    /// Runs an attempt of a commit to its end, some seconds after the beginning of time.
    private func end(_ journal: Journal, _ commit: String, _ state: AttemptState, at seconds: Int64) throws {
        let time = Timestamp(milliseconds: seconds * 1000)
        let id = try journal.accept(
            pipeline: "site", trigger: .webhook, branch: "main", commit: nil, note: "n", at: time)
        try journal.enter(.fetching, attempt: id, at: time)
        try journal.setCommits(old: nil, new: commit, configuration: "c", attempt: id)
        try journal.finish(id, as: state, note: "n", decision: "d", at: time)
        try journal.outbox.enqueueNotifications(at: time)
    }

    private func said(_ journal: Journal, target: String = "t") throws -> [String] {
        try journal.outbox.dueMessages(at: Timestamp(milliseconds: Int64.max / 2), limit: 100)
            .filter { $0.target == target }.map { "\($0.notification.kind) \($0.notification.commit ?? "-")" }
    }

    @Test("the same is said once, and the last word is always right")
    func repetition() throws {
        let scratch = try ScratchDirectory()
        let journal = try journal(scratch)
        let story: [(String, AttemptState, Int64)] = [
            ("a", .done, 0), ("a", .done, 10), ("b", .failed, 20), ("b", .failed, 30), ("b", .failed, 4000),
            ("a", .done, 4010), ("b", .failed, 4020), ("b", .held, 4030), ("a", .done, 4040),
            ("b", .held, 4050), ("b", .held, 9000),
        ]
        for (commit, state, time) in story { try end(journal, commit, state, at: time) }
        #expect(
            try said(journal) == [
                "success a", "failed b", "success a", "failed b", "held b", "success a", "held b",
            ])
    }

    @Test("only failures are said when only they are wanted, and the success that ends them")
    func failures() throws {
        let scratch = try ScratchDirectory()
        let journal = try journal(scratch, onlyFailures: true)
        let story: [(String, AttemptState, Int64)] = [
            ("a", .done, 0), ("b", .done, 1000), ("c", .failed, 2000), ("d", .interrupted, 2010),
            ("e", .done, 2020), ("f", .done, 9000),
        ]
        for (commit, state, time) in story { try end(journal, commit, state, at: time) }
        #expect(try said(journal) == ["failed c", "interrupted d", "success e"])
    }

    @Test("a status that was not sent gives way to the newer one of its commit, and others stay")
    func statuses() throws {
        let scratch = try ScratchDirectory()
        let journal = try journal(scratch, status: true)
        let time = Timestamp(milliseconds: 0)
        let id = try journal.accept(
            pipeline: "site", trigger: .manual, branch: "main", commit: nil, note: "n", at: time)
        try journal.enter(.fetching, attempt: id, at: time)
        try journal.setCommits(old: nil, new: "a", configuration: "c", attempt: id)
        try journal.outbox.enqueueNotifications(at: time)
        #expect(try said(journal, target: "status") == ["started a"])
        try journal.finish(id, as: .superseded, note: "n", decision: "d", at: time)
        try end(journal, "b", .done, at: 1)
        #expect(try said(journal, target: "status") == ["superseded a", "success b"])
        #expect(try said(journal) == ["success b"])
    }

    @Test("what never ran is not told, and a pipeline that tells nobody costs nothing")
    func quiet() throws {
        let scratch = try ScratchDirectory()
        let journal = try journal(scratch)
        let time = Timestamp(milliseconds: 0)
        for _ in 0..<3 {
            try journal.accept(
                pipeline: "site", trigger: .webhook, branch: "main", commit: "a", note: "n", at: time)
        }
        try journal.supersedeUnforced(of: "site", before: 3, at: time)
        try journal.add(
            Pipeline(
                name: try Name("mute"), repo: "https://git.example/a/c", provider: .github, branch: "main",
                workload: try Name("mute"), createdAt: time))
        let id = try journal.accept(
            pipeline: "mute", trigger: .webhook, branch: "main", commit: "a", note: "n", at: time)
        try journal.finish(id, as: .failed, note: "n", decision: "d", at: time)
        try journal.outbox.notify(Notification(kind: .drift, note: "n", at: time), of: "mute")
        try journal.outbox.enqueueNotifications(at: time)
        #expect(try journal.outbox.waitingMessages() == 0)
        try journal.outbox.notify(Notification(kind: .drift, commit: "a", note: "n", at: time), of: "site")
        try journal.outbox.enqueueNotifications(at: time)
        #expect(try said(journal) == ["drift a"])
        try journal.delete("site")
        #expect(try journal.outbox.waitingMessages() == 0)
    }

    @Test("a letter that was tried is due later, and a new server does not wait for it")
    func due() throws {
        let scratch = try ScratchDirectory()
        let journal = try journal(scratch)
        try end(journal, "a", .failed, at: 0)
        let now = Timestamp(milliseconds: 0)
        let letter = try #require(try journal.outbox.dueMessages(at: now, limit: 1).first)
        #expect(try journal.outbox.beginTry(of: letter, next: now.advanced(by: OutboxSender.wait(after: 1))))
        #expect(try journal.outbox.dueMessages(at: now.advanced(by: .seconds(9)), limit: 1).isEmpty)
        #expect(
            try journal.outbox.dueMessages(at: now.advanced(by: .seconds(10)), limit: 1).first?.tries == 1)
        try journal.outbox.retryNow(at: now)
        #expect(try journal.outbox.dueMessages(at: now, limit: 1).first?.tries == 1)
        try journal.outbox.drop(letter)
        #expect(try !journal.outbox.beginTry(of: letter, next: now))
        #expect(
            (1...8).map { OutboxSender.wait(after: $0).milliseconds / 1000 } == [
                10, 30, 90, 270, 810, 2430, 3600, 3600,
            ])
    }
}
