import Testing
import VoltSystem
import VoltTestKit

/// The containers of a workload by the workload's name, and what goes with one that is removed.
@Suite(
    .serialized,
    .enabled(if: runsContainers, "real containers need root, systemd-nspawn and a static busybox"))
struct RealNameTests {
    let host: RealHost

    init() throws { host = try RealHost() }

    private func volt(_ words: String...) throws -> ToolRunner.Result {
        try host.run.run(["volt-container"] + words)
    }

    @Test("the name of a workload means its container, and a note says which")
    func names() throws {
        try host.deploy("1", page: "one")
        let note = "volt container: note: 'web' is a workload: its container is 'web-1'\n"
        let exec = try volt("exec", "web", "echo", "inside")
        #expect(exec.stdout == "inside\n")
        #expect(exec.stderr == note)
        #expect(try volt("inspect", "web").stdout.contains(#""name" : "web-1""#))
        #expect(try volt("logs", "web").status == 0)
        #expect(try volt("restart", "web").stdout == "web-1\n")
        #expect(try host.page() == "one")
        let stop = try volt("stop", "web")
        #expect(stop.stdout == "web-1\n")
        #expect(stop.stderr == note)
        #expect(try volt("start", "web").status == 0)
        let removal = try volt("rm", "--force", "web")
        #expect(removal.status == 3)
        #expect(removal.stderr.contains("volt container remove --workload web"), "\(removal.stderr)")
        // A container of that name comes first.
        #expect(try volt("run", "-d", "--name", "web", "busybox", "sleep", "1000").status == 0)
        #expect(try volt("exec", "web", "echo", "own").stderr == "")
        #expect(try volt("rm", "--force", "web").status == 0)
        #expect(try host.page() == "one")
    }

    @Test("with a container of a workload its port process goes, and the next apply makes both anew")
    func removedByHand() throws {
        try host.deploy("1", page: "one")
        #expect(try volt("rm", "--force", "web-1").status == 0)
        #expect(throws: HTTPClient.Failure.self) { try host.page() }
        let ports = "\(host.scratch.path)/root/run/ports"
        #expect(try Files.list(ports) == [])
        for entry in try Files.list("/proc") where Int32(entry) != nil {
            let line = (try? Files.read("/proc/\(entry)/cmdline", limit: 1 << 16)) ?? []
            let text = String(decoding: line.map { $0 == 0 ? 32 : $0 }, as: UTF8.self)
            #expect(!(text.contains("volt-container--") && text.contains(host.scratch.path)), "\(text)")
        }
        try host.deploy("2", page: "two")
        #expect(try host.page() == "two")
    }

    @Test("a new volume of a workload begins with what its image has there")
    func newVolume() throws {
        let source = try host.source(
            "1", page: "one", steps: "RUN [\"/bin/sh\", \"-c\", \"mkdir /data && echo kept >/data/file\"]")
        let manifest = "\(source)/volt-manifest.yaml"
        let text = String(decoding: try Files.read(manifest), as: UTF8.self)
        try Files.replace(
            manifest, with: "\(text)\n  volumes: [\"data:/data\", \"none:/www/x:nocopy\"]\n".utf8)
        let applied = try host.run.run(host.words(source, "1"))
        try #require(applied.status == 0, "\(applied.stdout)\(applied.stderr)")
        let volumes = "\(host.scratch.path)/root/lib/container/volumes"
        #expect(try Files.list("\(volumes)/web.data") == ["file"])
        #expect(try Files.list(volumes) == ["web.data", "web.none"])
        #expect(try volt("remove", "--workload", "web", "--volumes").status == 0)
        #expect(try Files.list(volumes) == [])
    }
}
