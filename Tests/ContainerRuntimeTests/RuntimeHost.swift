import FoundationEssentials
import Glibc
import Testing
import VoltSystem
import VoltTestKit

/// Real containers need root and systemd-nspawn; the image is Debian's busybox-static.
let runsContainers = getuid() == 0 && Files.exists("/usr/bin/systemd-nspawn") && Files.exists("/bin/busybox")

/// A host of its own below a scratch directory, with busybox as its one image.
final class RuntimeHost {
    let scratch: ScratchDirectory
    let run: ToolRunner

    init() throws {
        scratch = try ScratchDirectory()
        run = ToolRunner(scratch: scratch.path)
        let root = "\(scratch.path)/busybox"
        for directory in ["bin", "etc", "www"] { try Files.makeDirectory("\(root)/\(directory)") }
        try #require(try run("cp", "/bin/busybox", "\(root)/bin/busybox").status == 0)
        for name: String in [
            "sh", "httpd", "id", "cat", "echo", "sleep", "true", "false", "env", "pwd", "grep", "seq", "tail",
            "touch",
            "rm", "stty", "tty", "mount", "unshare", "ls", "test",
        ] {
            symlink("busybox", "\(root)/bin/\(name)")
        }
        try Files.replace(
            "\(root)/etc/passwd", with: "root:x:0:0::/root:/bin/sh\napp:x:1000:1001::/home/app:/bin/sh\n".utf8
        )
        try Files.replace("\(root)/etc/group", with: "root:x:0:\napp:x:1001:\nextra:x:44:app\n".utf8)
        try Files.replace("\(root)/www/index.html", with: "hello\n".utf8)
        try #require(try volt("import", "--name", "busybox", root).status == 0)
    }

    deinit {
        for state in (try? states()) ?? [] { _ = try? volt("rm", "--force", state.spec.name) }
    }

    /// Runs `volt-container`.
    @discardableResult
    func volt(_ words: String..., input: String = "") throws -> ToolRunner.Result {
        try run.run(["volt-container"] + words, input: input)
    }

    /// What the tests read of `inspect` and `ps`.
    struct State: Decodable {
        struct Spec: Decodable { var name: String }
        var spec: Spec
        var state: String
        var health: String
        var pid: Int32?
        var supervisor: Int32?
        var exitCode: Int32?
        var restarts: Int
    }

    func states() throws -> [State] {
        try JSONDecoder().decode([State].self, from: Data(try volt("ps", "--all", "--json").stdout.utf8))
    }

    func state(_ name: String) throws -> State {
        try #require(try states().first { $0.spec.name == name })
    }

    /// Waits until a container is as wanted, at most 20 s.
    func wait(for name: String, _ isDone: (State) -> Bool) throws -> State {
        for _ in 0..<400 {
            let state = try state(name)
            if isDone(state) { return state }
            usleep(50_000)
        }
        let state = try state(name)
        Issue.record("container '\(name)' stays \(state)")
        return state
    }

    func page(_ port: UInt16) throws -> String {
        try HTTPClient(port: port, timeoutSeconds: 5).request("GET", "/", headers: [("Connection", "close")])
            .text
    }

    /// What belongs to this host and is still there: processes, mounts, control groups.
    func leftovers() throws -> [String] {
        var found: [String] = []
        for entry in try Files.list("/proc") where Int32(entry) != nil {
            let line = (try? Files.read("/proc/\(entry)/cmdline", limit: 1 << 16)) ?? []
            let text = String(decoding: line.map { $0 == 0 ? 32 : $0 }, as: UTF8.self)
            if text.contains("volt-container--"), text.contains(scratch.path) { found.append(text) }
        }
        let mounts = String(decoding: try Files.read("/proc/self/mounts"), as: UTF8.self)
        found += mounts.split(separator: "\n").filter { $0.contains(scratch.path) }.map(String.init)
        return found
    }
}
