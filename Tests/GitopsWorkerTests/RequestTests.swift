import GitopsSource
import Glibc
import Testing
import VoltCore
import VoltSystem
import VoltTestKit

@Suite struct RequestTests {
    @Test("a snapshot that is there answers for its commit, and is in the way of the tip")
    func existing() throws {
        let bench = try Bench()
        let first = try bench.push()
        let made = try bench.snapshot(bench.fileAccess(), "x", commit: first)
        #expect(made.commit == first, "\(made.failure)")
        #expect(try bench.snapshot(bench.fileAccess(), "x", commit: first).events.last == made.events.last)
        // Otherwise the tree of the first commit would be taken for the second.
        try bench.push("second")
        let tip = try bench.snapshot(bench.fileAccess(), "x")
        #expect(
            tip.status == ExitCode.conflict.rawValue && tip.failure.contains("exists already"),
            "\(tip.failure)")
        // Neither the mirror nor the server is needed for what is there.
        try Files.removeTree(bench.mirror)
        try Files.removeTree(bench.repository)
        #expect(try bench.snapshot(bench.fileAccess(), "x", commit: first).commit == first)
    }

    @Test("a repository that is gone from its path is not found")
    func gone() throws {
        let bench = try Bench()
        try bench.push()
        #expect(try bench.snapshot(bench.fileAccess(), "1").status == 0)
        try Files.removeTree(bench.repository)
        let answer = try bench.snapshot(bench.fileAccess(), "2")
        #expect(
            answer.status == 3
                && answer.failure.hasPrefix("repository 'file://\(bench.repository)' not found"),
            "\(answer.status): \(answer.failure)")
        #expect(try Files.list("\(bench.path)/snapshots") == ["1"])
    }

    @Test(
        "a lower limit of the user's holds, and the worker starts", .enabled(if: geteuid() == 0, "needs root")
    )
    func lowerLimit() throws {
        let bench = try Bench()
        // The shell sets the hard limit too, which a process without privileges cannot raise again.
        let script = """
            ulimit -n 256; echo '{}' | \
            setpriv --bounding-set=-all --inh-caps=-all "$0"
            """
        let worker = "\(ToolRunner.products)/volt-gitops--worker"
        let result = try bench.tools("bash", "-c", script, worker)
        #expect(result.status == ExitCode.usage.rawValue, "\(result.stdout)\(result.stderr)")
    }
}
