import GitopsEngine
import Glibc
import Testing
import VoltSystem
import VoltTestKit

@Suite(
    .timeLimit(.minutes(5)),
    .enabled(
        if: getuid() == 0
            && ["/usr/bin/systemd-nspawn", "/bin/busybox", "/usr/bin/umoci"].allSatisfy { Files.exists($0) },
        "needs root, systemd-nspawn, busybox and umoci"))
struct UnsignedTests {
    /// A registry on a port of its own, and an image of busybox in it.
    private func registry(_ host: Host) throws -> (pid: Int32, image: String) {
        let port = LoopbackPort.free()
        let root = "\(host.directory)/rootfs"
        for name in ["bin", "etc", "tmp"] { try Files.makeDirectory("\(root)/\(name)") }
        let pid = try Processes.spawnDetached(
            "\(ToolRunner.products)/volt-registry",
            ["serve", "--port", "\(port)", "--store", "\(host.directory)/store"],
            environment: host.tool.environment)
        for _ in 0..<1000 {
            if (try? HTTPClient(port: port, timeoutSeconds: 5).request("GET", "/v2/")) != nil { break }
            usleep(10_000)
        }
        let image = "localhost:\(port)/web:1"
        for words in [
            ["cp", "/bin/busybox", "\(root)/bin/busybox"], ["umoci", "init", "--layout", "img"],
            ["umoci", "new", "--image", "img:a"], ["umoci", "insert", "--image", "img:a", "rootfs", "/"],
            ["volt-registry", "copy", "oci:img:a", image],
            ["volt-registry", "key", "create", "--output", "team"],
        ] {
            let result = try host.tool.run(words)
            try #require(result.status == 0, "\(words): \(result.stderr)")
        }
        return (pid, image)
    }

    @Test(
        "an image that nobody signed is not deployed, the status says which rule refuses it, and then it is signed"
    )
    func unsigned() throws {
        let host = try Host()
        let (pid, image) = try registry(host)
        defer {
            kill(pid, SIGKILL)
            waitpid(pid, nil, 0)
            _ = try? host.tool("volt-container", "remove", "--workload", "web", "--volumes")
        }
        let policy = "\(host.directory)/root/etc/trust.yaml"
        try Files.makeDirectory("\(host.directory)/root/etc")
        try Files.replace(
            policy,
            with: """
                version: 1
                default: refuse
                images:
                  - { name: "localhost:*/**", signedBy: [\(host.directory)/team.pub] }

                """.utf8)
        try host.commit(
            "one",
            files: [
                "volt-manifest.yaml": """
                apiVersion: volt/v1
                kind: container
                spec:
                  image: \(image)
                  command: ["/bin/busybox", "sleep", "1000"]
                  health: { exec: ["/bin/busybox", "true"], interval: 1s }

                """
            ])
        try host.createSite()
        let refused = try host.gitops("sync", "--name", "site")
        #expect(refused.status != 0)
        let said = "image '\(image)' is refused by the rule at '\(policy):4': it has no signature"
        let status = try host.gitops("status")
        #expect(status.stderr.contains("site: failed: manual sync: \(said)"), "\(status.stderr)")
        #expect(
            refused.stderr.contains(said) && refused.stderr.contains("have it signed for"),
            "\(refused.stderr)")
        try #require(try host.tool("volt-registry", "sign", "--key", "team.key", image).status == 0)
        let synced = try host.gitops("sync", "--name", "site")
        #expect(synced.status == 0, "\(synced.stdout)\(synced.stderr)")
        #expect(try host.history().first?.state == .done)
    }
}
