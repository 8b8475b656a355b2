import Testing
import VoltCore
import VoltSystem
import VoltTestKit

@testable import GitopsEngine

@Suite struct RetentionTests {
    private let day: Int64 = 86_400_000

    /// A journal with a pipeline, and the limits 10 attempts, 90 days, 3 successes, 4 a batch.
    private func journal(_ scratch: borrowing ScratchDirectory) throws -> Journal {
        let journal = try Journal(state: scratch.path)
        try journal.add(
            Pipeline(
                name: try Name("site"), repo: "https://git.example/a", provider: .github, branch: "main",
                workload: try Name("web"), createdAt: Timestamp(milliseconds: 0)))
        return journal
    }

    private var limits: Journal.Retention {
        Journal.Retention(attempts: 10, age: .seconds(90 * 86_400), successes: 3, batch: 4)
    }

    private func add(_ journal: Journal, at day: Int64, as state: AttemptState, started: Bool = true) throws
        -> Int64
    {
        let time = Timestamp(milliseconds: day * self.day)
        let id = try journal.accept(
            pipeline: "site", trigger: .webhook, branch: "main", commit: "c\(day)", note: "n", at: time)
        if started { try journal.enter(.fetching, attempt: id, at: time) }
        try journal.addLog(["line"], attempt: id)
        try journal.finish(id, as: state, note: "n", decision: "d", at: time)
        return id
    }

    @Test("old attempts beyond the newest go with their steps and logs, in as many batches as it takes")
    func old() throws {
        let scratch = try ScratchDirectory()
        let journal = try journal(scratch)
        var ids: [Int64] = []
        for number in 0..<35 { ids.append(try add(journal, at: Int64(number), as: .failed)) }
        let removed = try journal.prune("site", at: Timestamp(milliseconds: 1000 * day), keeping: limits)
        #expect(removed == 25)
        #expect(try journal.history(of: "site", limit: 100).map(\.id) == ids.suffix(10).reversed())
        #expect(try journal.log(of: ids[0], last: 10) == [])
        #expect(try journal.steps(of: ids[0]) == [])
        #expect(try journal.log(of: ids[30], last: 10) == ["line"])
        #expect(try journal.prune("site", at: Timestamp(milliseconds: 1000 * day), keeping: limits) == 0)
    }

    @Test("what is younger than the limit of age stays, but attempts that never began")
    func young() throws {
        let scratch = try ScratchDirectory()
        let journal = try journal(scratch)
        for _ in 0..<10 { _ = try add(journal, at: 50, as: .superseded, started: false) }
        for _ in 0..<10 { _ = try add(journal, at: 50, as: .superseded) }
        for _ in 0..<10 { _ = try add(journal, at: 50, as: .failed) }
        #expect(try journal.prune("site", at: Timestamp(milliseconds: 60 * day), keeping: limits) == 10)
        #expect(try journal.history(of: "site", limit: 100).count == 20)
        #expect(try journal.prune("site", at: Timestamp(milliseconds: 141 * day), keeping: limits) == 10)
    }

    @Test("the last successes, the running commit among them, and what is under way stay at any age")
    func successes() throws {
        let scratch = try ScratchDirectory()
        let journal = try journal(scratch)
        var good: [Int64] = []
        for number in 0..<5 { good.append(try add(journal, at: Int64(number), as: .done)) }
        let open = try journal.accept(
            pipeline: "site", trigger: .poll, branch: "main", commit: nil, note: "n",
            at: Timestamp(milliseconds: 0))
        for number in 0..<20 { _ = try add(journal, at: Int64(number), as: .failed) }
        try journal.prune("site", at: Timestamp(milliseconds: 1000 * day), keeping: limits)
        let kept = try journal.history(of: "site", limit: 100).map(\.id)
        #expect(Array(kept.suffix(4)) == [open, good[4], good[3], good[2]])
        #expect(kept.count == 14)
        #expect(try journal.deployedCommit(of: "site") == "c4")
    }
}
