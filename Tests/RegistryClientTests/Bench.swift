import Glibc
import Testing
import VoltOCI
import VoltSystem
import VoltTestKit

/// A registry that the client is tried against.
enum Kind: String, CaseIterable {
    case volt
    case docker
}

/// A registry with logins, and a scratch directory for the programs.
final class Bench {
    let scratch: ScratchDirectory
    let run: ToolRunner
    private(set) var port: UInt16 = 0
    private var pid: Int32 = 0

    init(_ kind: Kind, hasLogins: Bool = false) throws {
        scratch = try ScratchDirectory()
        run = ToolRunner(scratch: scratch.path)
        port = LoopbackPort.free()
        let path = scratch.path
        if hasLogins { try ok("htpasswd", "-cbB", "htpasswd", "alice", "secret word") }
        let words: [String]
        switch kind {
        case .docker:
            let auth = hasLogins ? "auth: { htpasswd: { realm: test, path: \(path)/htpasswd } }" : ""
            try Files.replace(
                "\(path)/docker.yml",
                with: """
                    version: 0.1
                    log: { level: error, accesslog: { disabled: true } }
                    storage: { filesystem: { rootdirectory: \(path)/docker }, delete: { enabled: true } }
                    http: { addr: "127.0.0.1:\(port)" }
                    \(auth)

                    """.utf8)
            words = ["/usr/bin/docker-registry", "serve", "\(path)/docker.yml"]
        case .volt:
            try Files.replace(
                "\(path)/policy.yaml",
                with:
                    "version: 1\nusers: htpasswd\nadministrators: [alice]\ntokens: { issue: { key: key } }\n"
                    .utf8)
            words =
                [
                    "\(ToolRunner.products)/volt-registry", "serve", "--port", "\(port)", "--store",
                    "\(path)/store", "--access-log", "\(path)/access.log",
                ]
                + (hasLogins ? ["--policy", "\(path)/policy.yaml"] : [])
        }
        let log = creat("\(path)/server.log", 0o600)
        defer { close(log) }
        pid = try Processes.spawnDetached(
            words[0], Array(words.dropFirst()), environment: run.environment, descriptors: [1: log, 2: log])
        for _ in 0..<1000 {
            if (try? HTTPClient(port: port, timeoutSeconds: 5).request("GET", "/v2/")) != nil { return }
            usleep(10_000)
        }
        Issue.record(
            "the registry does not answer: \(String(decoding: try Files.read("\(path)/server.log"), as: UTF8.self))"
        )
    }

    deinit { stop() }

    /// Ends the registry.
    func stop() {
        guard pid > 0 else { return }
        kill(pid, SIGKILL)
        waitpid(pid, nil, 0)
        pid = 0
    }

    /// The lines of Volt's access log.
    func accessLog() throws -> [Substring] {
        String(decoding: try Files.read("\(scratch.path)/access.log"), as: UTF8.self).split(separator: "\n")
    }

    var host: String { "localhost:\(port)" }

    @discardableResult
    func ok(_ words: String..., input: String = "") throws -> String { try ok(words, input: input) }

    @discardableResult
    func ok(_ words: [String], input: String = "") throws -> String {
        let result = try run.run(words, input: input)
        try #require(result.status == 0, "\(words): \(result.stdout)\(result.stderr)")
        return result.stdout
    }

    /// `volt-registry` with these words.
    @discardableResult
    func volt(_ words: String..., input: String = "") throws -> ToolRunner.Result {
        try run.run(["volt-registry"] + words, input: input)
    }

    /// An image with one layer, as umoci makes it, in the layout `img`.
    func image() throws {
        try Files.makeDirectory("\(scratch.path)/rootfs/etc")
        try Files.replace("\(scratch.path)/rootfs/etc/motd", with: "hello\n".utf8)
        try ok("umoci", "init", "--layout", "img")
        try ok("umoci", "new", "--image", "img:a")
        try ok("umoci", "insert", "--image", "img:a", "rootfs", "/")
    }

    func skopeo(_ words: String...) throws -> String {
        let result = try run.run(["skopeo"] + words)
        try #require(result.status == 0, "\(result.stderr)")
        return result.stdout
    }
}
