import Testing
import VoltCore
import VoltRollout

@Suite struct StartOrderTests {
    private func order(_ after: [String: [String]]) throws -> StartOrder {
        StartOrder(
            Dictionary(
                uniqueKeysWithValues: try after.map { (try Name($0), try $1.map { try Name($0) }) }))
    }

    @Test("a workload comes behind those that it waits for, and by name where the order is free")
    func order() throws {
        let order = try order([
            "web": ["api", "cache"], "api": ["db"], "db": [], "cache": ["db"], "app": ["web"], "zoo": [],
        ])
        #expect(order.workloads.map(\.text) == ["db", "api", "cache", "web", "app", "zoo"])
        #expect(order.notes.isEmpty)
        #expect(order.dependencies[try Name("web")]?.map(\.text) == ["api", "cache"])
    }

    @Test("what is of another kind, or not there, stays to be waited for")
    func others() throws {
        let order = try order(["web": ["queue"]])
        #expect(order.workloads.map(\.text) == ["web"])
        #expect(order.dependencies[try Name("web")]?.map(\.text) == ["queue"])
    }

    @Test("a circle is broken at one place, with a note, and all of its workloads are started")
    func circles() throws {
        let circle = try order(["a": ["b"], "b": ["c"], "c": ["a"], "d": ["a"]])
        #expect(circle.workloads.map(\.text) == ["c", "b", "a", "d"])
        #expect(
            circle.notes == ["'after' leads back to 'a': a -> b -> c -> a; 'c' does not wait for 'a'"])
        #expect(circle.dependencies[try Name("c")] == [])
        let own = try order(["a": ["a"]])
        #expect(own.workloads.map(\.text) == ["a"])
        #expect(own.notes == ["'after' leads back to 'a': a -> a; 'a' does not wait for 'a'"])
        #expect(try order(["a": ["b", "c"], "b": ["a"], "c": ["a", "b"]]).notes.count == 2)
    }

    @Test("the order of a long chain is found, too")
    func chain() throws {
        var after: [String: [String]] = [:]
        for number in 0..<2000 { after["w\(number)"] = ["w\(number + 1)"] }
        #expect(try order(after).workloads.first?.text == "w1999")
    }
}
