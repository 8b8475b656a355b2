import Testing
import VoltSystem

@Suite struct ChildTests {
    @Test("a child has ended though something that it started holds its output open")
    func heldOpen() throws {
        var lines: [String] = []
        let child = try Child.start(
            "/bin/sh", ["-c", "echo one; setsid sleep 12 & echo two; exit 3"],
            environment: ["PATH": "/usr/bin:/bin"])
        let outcome = child.finish(limit: .seconds(9)) { _, line in lines.append(line) }
        #expect(outcome == .exited(3))
        #expect(lines == ["one", "two"])
    }
}
