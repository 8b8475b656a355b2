import FoundationEssentials
import Glibc
import Testing
import VoltCore
import VoltSystem
import VoltTestKit

@Suite(.timeLimit(.minutes(2))) struct DoctorTests {
    private struct Check: Decodable {
        let name: String
        let verdict: String
        let message: String
        let hint: String?
    }

    private func doctor(_ host: Host, _ words: String...) throws -> (status: Int32, checks: [String: Check]) {
        let result = try host.tool.run(["volt-gitops", "doctor", "-o", "json"] + words)
        let checks = try JSONDecoder().decode([Check].self, from: Data(result.stdout.utf8))
        return (result.status, Dictionary(checks.map { ($0.name, $0) }) { $1 })
    }

    @Test("a host where all is well has no failure, and the doctor says what it found")
    func healthy() throws {
        let host = try Host()
        try host.createSite()
        let server = try Serve(host)
        let (status, checks) = try doctor(host)
        #expect(checks["port"]?.message.contains(":\(server.port)") == true, "\(checks)")
        #expect(checks["journal"]?.verdict == "ok")
        #expect(checks["permissions"]?.verdict == "ok")
        #expect(checks["worker"]?.verdict == "ok")
        let tip = try host.git("rev-parse", "HEAD").prefix(12)
        #expect(
            checks["repository site"]?.message.hasPrefix("'main' is at \(tip), answered in ") == true,
            "\(checks)")
        #expect(checks["hook site"]?.verdict == "warn", "no webhook has come")
        for name in ["libgit2", "libssh2", "OpenSSL", "disk", "clock", "unit", "kernel"] {
            #expect(checks[name] != nil)
        }
        let failures = checks.values.filter { $0.verdict == "fail" }.map(\.name)
        // What the machine of the test lacks is not the matter of this test.
        #expect(Set(failures).isSubset(of: ["libgit2", "disk", "kernel"]), "\(failures)")
        #expect(status == (failures.isEmpty ? 0 : 2))

        let commit = try host.git("rev-parse", "HEAD")
        let body = host.push(commit: commit)
        let answer = try server.request(
            "POST", "/hooks/github", headers: host.headers(delivery: "1", body: body), body: body)
        #expect(answer.status == 202)
        try host.wait("for the hook to be known") {
            try doctor(host, "--offline").checks["hook site"]?.verdict == "ok"
        }
        #expect(try doctor(host, "--offline").checks["repository site"] == nil)
    }

    @Test("a worker that cannot start is a failure, whatever is installed")
    func worker() throws {
        let host = try Host()
        // The programs in a directory of their own, with a worker that is no program for this machine.
        let programs = "\(host.directory)/own"
        try Files.makeDirectory(programs)
        _ = try host.tool.run(["cp", "\(ToolRunner.products)/volt-gitops", programs])
        let broken = "#!/bin/sh\necho broken >&2\nexit 127\n"
        try Files.replace("\(programs)/volt-gitops--worker", with: broken.utf8, mode: 0o755)
        let result = try host.tool.run(["\(programs)/volt-gitops", "doctor", "--offline", "-o", "json"])
        let checks = try JSONDecoder().decode([Check].self, from: Data(result.stdout.utf8))
        let worker = checks.first { $0.name == "worker" }
        #expect(result.status == 2 && worker?.verdict == "fail", "\(checks)")
        #expect(worker?.message == "'\(programs)/volt-gitops--worker' cannot start: broken")
    }

    @Test("a trust policy that would stop every deploy is found before one does")
    func trust() throws {
        let host = try Host()
        #expect(try doctor(host, "--offline").checks["trust policy"] == nil)
        let file = "\(host.directory)/root/etc/trust.yaml"
        try Files.makeDirectory("\(host.directory)/root/etc")
        try Files.replace(file, with: "version: 1\ndefault: refuse\n".utf8)
        let good = try doctor(host, "--offline").checks["trust policy"]
        #expect(
            good?.verdict == "ok" && good?.message.hasSuffix("other images are refused") == true,
            "\(good.debugDescription)")
        try Files.replace(file, with: "version: 1\ndefault: refused\n".utf8)
        let bad = try doctor(host, "--offline").checks["trust policy"]
        #expect(
            bad?.verdict == "fail" && bad?.message.hasPrefix("\(file):2:10: ") == true,
            "\(bad.debugDescription)")
    }

    @Test("keys of age are looked at where there are some")
    func keys() throws {
        let host = try Host()
        try host.createSite()
        #expect(try doctor(host, "--offline").checks["age keys"] == nil)
        let file = "\(host.directory)/root/etc/age/web.txt"
        try Files.makeDirectory(Files.parent(of: file))
        try Files.replace(file, with: "AGE-SECRET-KEY-1\n".utf8, mode: 0o600)
        #expect(try doctor(host, "--offline").checks["age keys"]?.verdict == "ok")
        chmod(file, 0o644)
        let check = try doctor(host, "--offline").checks["age keys"]
        #expect(check?.verdict == "fail" && check?.hint?.contains("chmod 600 \(file)") == true)
    }

    @Test("what is wrong is said with what to do, and the exit code is 2")
    func ill() throws {
        let host = try Host()
        try host.createSite()
        try Files.remove("\(host.directory)/root/lib/gitops/secrets/site")
        try Files.removeTree("\(host.directory)/repository")
        let state = "\(host.directory)/root/lib/gitops"
        chmod("\(state)/secrets", 0o755)
        let (status, checks) = try doctor(host)
        #expect(status == 2)
        #expect(checks["permissions"]?.hint == "chmod 700 '\(state)/secrets'")
        #expect(checks["permissions site"]?.verdict == "fail", "the secret is gone")
        #expect(checks["repository site"]?.verdict == "fail", "the repository is gone")
        let database = open("\(state)/journal.db", O_WRONLY)
        let garbage = [UInt8](repeating: 0xAA, count: 4096)
        #expect(pwrite(database, garbage, garbage.count, 4096) == garbage.count)
        close(database)
        #expect(try doctor(host, "--offline").checks["journal"]?.verdict == "fail", "the journal is damaged")
    }

    @Test("every registered kind is asked for its workloads, and those that are not well are named")
    func kinds() throws {
        let host = try Host()
        #expect(
            try doctor(host, "--offline").checks["kind probe"]?.message
                == "'\(host.directory)/bin/volt-probe' applies it; it cannot list its workloads")
        try host.createSite()
        #expect(try host.gitops("sync", "--name", "site").status == 0)
        let well = #"{"workload":"web","state":"running","health":"healthy","restarts":0}"#
        func found(_ list: String) throws -> Check {
            try Files.replace("\(host.directory)/list", with: list.utf8)
            return try #require(try doctor(host, "--offline").checks["kind probe"])
        }
        let good = try found("[\(well)]")
        #expect(good.verdict == "ok" && good.message.hasSuffix("applies it; 1 workload"), "\(good)")
        let ill = try found(
            #"[\#(well),{"workload":"db","state":"dozing"},{"workload":"x","state":"exited","stopped":"by-hand"}]"#
        )
        #expect(ill.verdict == "warn" && ill.message.hasSuffix("3 workloads: 'db' is dozing"), "\(ill)")
        let gone = try found("[]")
        #expect(
            gone.verdict == "warn"
                && gone.message.hasSuffix("workload 'web' of pipeline 'site' is not among them"), "\(gone)")
        let broken = try found("hello")
        #expect(
            broken.verdict == "warn"
                && broken.message.contains("'volt-probe list' printed something that is not a list"),
            "\(broken)")
    }

    @Test("a port of another program is told with its holder")
    func port() throws {
        let host = try Host()
        let other = try Host()
        let server = try Serve(other)
        let (status, checks) = try doctor(host, "--offline", "--port", "\(server.port)")
        #expect(status == 2)
        #expect(checks["port"]?.message.contains("process \(server.pid)") == true, "\(checks)")
    }
}
