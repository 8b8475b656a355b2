import Testing
import VoltCore
import VoltSystem
import VoltTestKit

@testable import GitopsEngine

@Suite struct DeliveryLogTests {
    private let start = DeliveryLog.Position(generation: 0, offset: 0)

    private func delivery(_ id: String) -> AcceptedDelivery {
        AcceptedDelivery(
            pipeline: "site", delivery: id, branch: "main", commit: nil, note: "webhook (github)",
            at: Timestamp(milliseconds: 1_700_000_000_000))
    }

    private func bytes(_ ids: String...) -> [UInt8] {
        var bytes: [UInt8] = []
        for id in ids { delivery(id).encode(into: &bytes) }
        return bytes
    }

    private func ids(in state: String, after position: DeliveryLog.Position) throws -> [String?] {
        try DeliveryLog.groups(in: state, after: position)
            .flatMap { AcceptedDelivery.decode($0.payload) }.map(\.delivery)
    }

    @Test("what was appended is read after a position, and nothing is read twice")
    func positions() throws {
        let scratch = try ScratchDirectory()
        let directory = scratch.path
        let log = try DeliveryLog(state: directory, after: start)
        try log.append(bytes("a", "b"))
        let middle = log.end
        try log.append(bytes("c"))
        #expect(try ids(in: directory, after: start) == ["a", "b", "c"])
        #expect(try ids(in: directory, after: middle) == ["c"])
        #expect(try ids(in: directory, after: log.end) == [])
    }

    @Test("the files take turns, and an earlier turn's groups are not read again")
    func turns() throws {
        let scratch = try ScratchDirectory()
        let directory = scratch.path
        let log = try DeliveryLog(state: directory, after: start)
        let large = [UInt8](repeating: 0, count: DeliveryLog.size / 2)
        try log.append(large)
        #expect(!log.hasRoom(for: large.count))
        log.takeTurn()
        try log.append(bytes("second"))
        #expect(try DeliveryLog.groups(in: directory, after: start).count == 2)
        let second = log.end
        log.takeTurn()
        try log.append(bytes("third"))
        #expect(try ids(in: directory, after: second) == ["third"])
    }

    @Test("a group that was half written ends the log, and the next start goes on in the other file")
    func torn() throws {
        let scratch = try ScratchDirectory()
        let directory = scratch.path
        do {
            let log = try DeliveryLog(state: directory, after: start)
            try log.append(bytes("whole"))
            try log.append(bytes("torn"))
        }
        let name = "\(directory)/deliveries.1"
        var contents = try Files.read(name)
        let last = try #require(contents.lastIndex { $0 != 0 })
        contents[last] ^= 1
        try Files.replace(name, with: contents)
        #expect(try ids(in: directory, after: start) == ["whole"])
        let whole = try #require(try DeliveryLog.groups(in: directory, after: start).last?.end)
        let next = try DeliveryLog(state: directory, after: whole)
        try next.append(bytes("new"))
        #expect(try ids(in: directory, after: whole) == ["new"])
    }

    @Test("any single byte changed in a log loses no group before it and makes none up")
    func changedBytes() throws {
        let scratch = try ScratchDirectory()
        let directory = scratch.path
        let log = try DeliveryLog(state: directory, after: start)
        for id in ["a", "b", "c"] { try log.append(bytes(id)) }
        let name = "\(directory)/deliveries.1"
        let contents = try Files.read(name)
        for index in stride(from: 0, to: Int(log.end.offset), by: 3) {
            var changed = contents
            changed[index] ^= 0x41
            try Files.replace(name, with: changed)
            let found = try ids(in: directory, after: start)
            #expect(["a", "b", "c"].starts(with: found), "byte \(index)")
            #expect(found.count < 3, "byte \(index)")
        }
    }

    @Test("of the deliveries of one pipeline the newest is queued, the others were superseded by it")
    func drained() throws {
        let scratch = try ScratchDirectory()
        let directory = scratch.path
        let journal = try Journal(state: directory)
        let now = Timestamp(milliseconds: 1_700_000_001_000)
        try journal.add(
            Pipeline(
                name: try Name("site", of: "pipeline"), repo: "https://git.example/site.git",
                provider: .github,
                branch: "main", workload: try Name("web", of: "workload"), createdAt: now))
        let log = try DeliveryLog(state: directory, after: journal.drained())
        try log.append(bytes("a", "b"))
        try log.append(bytes("c"))
        try journal.drainLog(in: directory, at: now)
        try journal.drainLog(in: directory, at: now)
        let history = try journal.history(of: "site", limit: 10)
        #expect(history.map(\.delivery) == ["c", "b", "a"])
        #expect(history.map(\.state) == [.accepted, .superseded, .superseded])
        #expect(history[2].note == "webhook (github), superseded by attempt \(history[0].id)")
        #expect(try journal.drained() == log.end)
        // One that was superseded may be sent again, as one that failed may.
        let known = try journal.reading { () throws(VoltError) in
            var known: [String] = []
            for id in ["a", "b", "c", "d"] where try journal.knows(delivery: id, of: "site") {
                known.append(id)
            }
            return known
        }
        #expect(known == ["c"])
        #expect(try !journal.knows(delivery: "c", of: "other"))
        try journal.finish(history[0].id, as: .failed, note: "", decision: "", at: now)
        #expect(try !journal.knows(delivery: "c", of: "site"))
        try journal.finish(history[0].id, as: .done, note: "", decision: "", at: now)
        #expect(try journal.knows(delivery: "c", of: "site"))
    }

    @Test("a delivery of a pipeline that was deleted is dropped with it")
    func deleted() throws {
        let scratch = try ScratchDirectory()
        let directory = scratch.path
        let journal = try Journal(state: directory)
        let log = try DeliveryLog(state: directory, after: journal.drained())
        try log.append(bytes("a"))
        try journal.drainLog(in: directory, at: Timestamp(milliseconds: 0))
        #expect(try journal.history(of: "site", limit: 10).isEmpty)
        #expect(try journal.drained() == log.end)
    }
}
