import FoundationEssentials
import Glibc
import Testing
import VoltSystem
import VoltTestKit

/// Containers as the version before this one left them: Fixtures/8cc8455 has its files, one of `old`, which was stopped,
/// and of `live`, which ran when its host lost power. In `init`, `run`, `state` and `ports` a newline stands for a zero
/// byte, and words between @ for what differs from host to host.
@Suite(.enabled(if: runsContainers, "needs root, systemd-nspawn and busybox-static"))
struct UpgradeTests {
    private let host: RuntimeHost
    private let root: String
    private let port = LoopbackPort.free()

    init() throws {
        host = try RuntimeHost()
        root = "\(host.scratch.path)/root"
        try #require(try host.volt("create", "--name", "fresh", "busybox", "true").status == 0)
        let fresh = "\(root)/lib/container/containers/fresh"
        struct Spec: Decodable {
            var lowers: [String]
            var imageDigest: String
        }
        let spec = try JSONDecoder().decode(Spec.self, from: Data(try Files.read("\(fresh)/spec.json")))
        let run = String(decoding: try Files.read("\(fresh)/run"), as: UTF8.self).split(separator: "\0")
        func value(_ prefix: String) throws -> String {
            String(try #require(run.first { $0.hasPrefix(prefix) }).dropFirst(prefix.count))
        }
        let words = [
            "@ROOT@": root, "@TREE@": spec.lowers[0], "@IMAGE@": spec.imageDigest, "@PORT@": "\(port)",
            "@NAMES@": try value("lower=names:"), "@OBJECTS@": try value("objects="),
            "@INIT@": try value("mount=ro:"),
        ]
        try #require(try host.volt("rm", "fresh").status == 0)
        let ports = "\(root)/run/container/ports"
        try Files.makeDirectory(ports, mode: 0o700)
        let fixture = "\(Golden.root())/Tests/ContainerRuntimeTests/Fixtures/8cc8455"
        for name in ["old", "live"] {
            let directory = "\(root)/lib/container/containers/\(name)"
            for folder in ["upper", "work", "stage"] { try Files.makeDirectory("\(directory)/\(folder)") }
            for file in try Files.list("\(fixture)/\(name)") {
                var text = String(decoding: try Files.read("\(fixture)/\(name)/\(file)"), as: UTF8.self)
                if ["init", "run", "state", "ports"].contains(file) { text.replace("\n", with: "\0") }
                for (word, value) in words { text.replace(word, with: value) }
                text.replace("@GROUP@", with: "volt-container-\(name)-\(port)")
                let place = file == "ports" ? "\(ports)/container.\(name).settings" : "\(directory)/\(file)"
                try Files.replace(place, with: text.utf8, mode: 0o600)
            }
        }
    }

    @Test("containers of the version before are listed, shown, started, logged and removed")
    func containers() throws {
        let states = try host.states()
        #expect(states.map(\.spec.name) == ["live", "old"])
        let old = try host.state("old")
        #expect(old.state == "exited" && old.exitCode == 143 && old.restarts == 0)
        #expect(try host.volt("inspect", "old").stdout.contains("hello world"))
        #expect(try host.volt("logs", "old").stdout == "first\n")

        // The one that ran is started again, as it was to.
        let live = try host.wait(for: "live") { $0.health == "healthy" }
        #expect(live.state == "running" && live.restarts == 1)
        #expect(try host.volt("logs", "live").stdout == "live\nlive\n")

        let start = try host.volt("start", "old")
        try #require(start.status == 0, "\(start.stderr)")
        _ = try host.wait(for: "old") { $0.health == "healthy" }
        #expect(try host.page(port) == "hello\n")
        let environment = try host.volt("exec", "old", "sh", "-c", "echo $GREETING; ls -d /data")
        #expect(environment.stdout == "hello world\n/data\n", "\(environment)")
        for name in ["old", "live"] { #expect(try host.volt("rm", "--force", name).status == 0) }
        // A port process answers before it ends.
        for _ in 0..<500 where try !host.leftovers().isEmpty { usleep(10_000) }
        #expect(try host.leftovers() == [])
        #expect(try Files.list("\(root)/run/container/ports") == [])
        #expect(try Files.list("\(root)/run/ports") == [])
    }

    @Test("the files of a container do not grow with its restarts")
    func growth() throws {
        func sizes() throws -> [String: Int] {
            let directory = "\(root)/lib/container/containers/web"
            return try Dictionary(
                uniqueKeysWithValues: ["run", "init", "spec.json", "status"].map { name in
                    (name, try Files.read("\(directory)/\(name)").count)
                })
        }
        try #require(
            try host.volt(
                "run", "-d", "--name", "web", "-v", "data:/data", "-p", "127.0.0.1:\(port):80", "--restart",
                "always", "busybox", "sleep", "1000"
            ).status == 0)
        let before = try sizes()
        for round in 0..<50 {
            if round % 5 == 4 {
                kill(try #require(try host.state("web").supervisor), SIGKILL)
                _ = try host.wait(for: "web") { $0.state == "running" && $0.restarts > 0 }
            }
            try #require(try host.volt("stop", "web").status == 0)
            try #require(try host.volt("start", "web").status == 0)
        }
        #expect(try sizes() == before)
    }

    /// Where `make soak` has built the programs of the version before.
    private static let earlier = Environment.current["VOLT_EARLIER_PROGRAMS"]

    @Test(
        "a container that the version before started goes on under this one, and so does its port process",
        .enabled(if: earlier != nil, "needs VOLT_EARLIER_PROGRAMS, which make soak sets"))
    func running() throws {
        func earlier(_ words: String...) throws -> ToolRunner.Result {
            try host.run.run(["\(Self.earlier ?? "")/volt-container"] + words)
        }
        try #require(
            try earlier(
                "run", "-d", "--name", "web", "--restart", "always", "--health", "tcp:80", "-p",
                "127.0.0.1:\(port):80", "busybox", "httpd", "-f", "-p", "80", "-h", "/www"
            ).status == 0)
        let before = try host.wait(for: "web") { $0.health == "healthy" }
        #expect(before.restarts == 0)
        #expect(try host.page(port) == "hello\n")
        #expect(try Files.list("\(root)/run/container/ports").contains("container.web"))
        #expect(try host.state("web").supervisor == before.supervisor)
        #expect(try host.volt("exec", "web", "echo", "in").stdout == "in\n")
        try #require(try host.volt("restart", "web").status == 0)
        #expect(try host.page(port) == "hello\n")
        #expect(try Files.list("\(root)/run/ports") == ["container.web", "container.web.settings"])
        // Its supervisor, should systemd start one of the version before again, reads what this one wrote.
        try #require(try host.volt("stop", "web").status == 0)
        try #require(try host.volt("rm", "web").status == 0)
        // The one of the fixture was started again meanwhile, as it was to.
        try #require(try host.volt("rm", "--force", "live").status == 0)
        // A port process answers before it ends.
        for _ in 0..<500 where try !host.leftovers().isEmpty { usleep(10_000) }
        let left = try host.leftovers()
        #expect(left == [], "\(left)")
    }
}
