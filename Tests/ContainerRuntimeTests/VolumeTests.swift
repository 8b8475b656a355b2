import Testing
import VoltSystem
import VoltTestKit

/// What a container writes, seen from the other users of the host.
@Suite(.enabled(if: runsContainers, "needs root, systemd-nspawn and busybox-static"))
struct VolumeTests {
    let host: RuntimeHost

    init() throws { host = try RuntimeHost() }

    private func shell(_ script: String) throws -> ToolRunner.Result {
        try host.run.run(["sh", "-c", script])
    }

    private func nobody(_ script: String) throws -> ToolRunner.Result {
        try host.run.run(
            ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "--", "sh", "-c", script])
    }

    @Test(
        "no user of the host reaches what is setuid in volumes, containers and images, also of earlier states"
    )
    func closed() throws {
        let state = "\(host.scratch.path)/root/lib/container"
        let write = "busybox cp /bin/busybox $1; busybox chmod 4755 $1"
        let script = "for x in /data/busybox /busybox; do set -- $x; \(write); done; sleep 1000"
        try #require(
            try host.volt("run", "-d", "--name", "c", "-v", "data:/data", "busybox", "sh", "-c", script)
                .status == 0)
        let volume = "\(state)/volumes/data/busybox"
        _ = try host.wait(for: "c") { _ in Files.exists("\(state)/containers/c/upper/busybox") }
        let find = "find '\(host.scratch.path)/root' -perm /6000 -type f"
        let all = try shell("\(find) | wc -l").stdout
        #expect(all == "2\n")
        #expect(try nobody("'\(volume)' id -u").stdout == "")
        #expect(try nobody(find).stdout == "")

        // As earlier versions left it.
        let pid = try host.state("c").pid
        let open = "cd '\(state)'; chmod 755 . volumes images; chmod 711 containers"
        #expect(try shell(open).status == 0)
        // Of what it does not need it gives the rights up.
        #expect(try nobody("'\(volume)' id -u").stdout == "65534\n")
        #expect(try host.volt("ps").status == 0)
        #expect(try nobody(find).stdout == "")
        #expect(try nobody("'\(volume)' id -u").stdout == "")
        #expect(try host.state("c").pid == pid)
        // What only has to do with images closes it as well.
        #expect(try shell(open).status == 0)
        #expect(
            try host.volt("import", "--name", "again", "\(host.scratch.path)/busybox").status == 0)
        #expect(try nobody("'\(volume)' id -u").stdout == "")
    }

    @Test("a volume is nosuid and nodev unless it is asked for, for exec too and after an upgrade")
    func flags() throws {
        let mounts = "grep -E ' /(a|b|c|d) ' /proc/mounts"
        func flags(_ text: String) -> [String: Set<String>] {
            var found: [String: Set<String>] = [:]
            for line in text.split(separator: "\n") {
                let parts = line.split(separator: " ")
                found[String(parts[1])] = Set(parts[3].split(separator: ",").map(String.init)).intersection([
                    "ro", "nosuid", "nodev",
                ])
            }
            return found
        }
        let wanted: [String: Set<String>] = [
            "/a": ["nosuid", "nodev"], "/b": ["nodev"], "/c": ["ro", "nosuid"], "/d": ["ro"],
        ]
        try #require(
            try host.volt(
                "run", "-d", "--name", "c", "-v", "a:/a", "-v", "b:/b:suid", "-v", "c:/c:ro,dev", "-v",
                "d:/d:suid,dev,ro", "busybox", "sh", "-c", "\(mounts); sleep 1000"
            ).status == 0)
        #expect(flags(try host.volt("exec", "c", "sh", "-c", mounts).stdout) == wanted)
        #expect(flags(try host.volt("logs", "c").stdout) == wanted)
        // Earlier versions wrote nothing about either into the file that a start reads.
        #expect(try host.volt("stop", "c").status == 0)
        let file = "\(host.scratch.path)/root/lib/container/containers/c/run"
        #expect(
            try shell("sed -i 's/,nosuid//g; s/,nodev//g' '\(file)'; grep -c nosuid '\(file)'").stdout
                == "0\n")
        #expect(try host.volt("start", "c").status == 0)
        #expect(flags(try host.volt("exec", "c", "sh", "-c", mounts).stdout) == wanted)

        for mount in ["/etc:/a:suid", "x:/a:exec", "x:/a:ro,rw"] {
            let refusal = try host.volt("create", "-v", mount, "busybox", "true")
            #expect(refusal.status == 64, "\(refusal)")
        }
    }

    @Test("a directory of the host keeps what the host's mounts forbid, read-only or not")
    func binds() throws {
        let options = try shell(
            """
            mkdir m; exec unshare -m sh -ec 'mount -t tmpfs -o nosuid,nodev,noexec tmpfs m
            mkdir m/sub; mount -t tmpfs -o nosuid tmpfs m/sub
            exec volt-container run --rm -v "$PWD/m:/a" -v "$PWD/m:/b:ro" busybox grep -E " /(a|b)" /proc/mounts'
            """)
        let lines = options.stdout.split(separator: "\n").map { $0.split(separator: " ") }
        #expect(lines.count == 4, "\(options)")
        for line in lines {
            let flags = Set(line[3].split(separator: ","))
            #expect(flags.contains("nosuid"), "\(line)")
            #expect(flags.isSuperset(of: ["nodev", "noexec"]) != line[1].hasSuffix("/sub"), "\(line)")
            #expect(flags.contains("ro") == line[1].hasPrefix("/b"), "\(line)")
        }
    }
}
