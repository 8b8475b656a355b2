import Testing
import VoltSystem
import VoltTestKit

@Suite(.enabled(if: runsContainers, "needs root, systemd-nspawn and busybox-static"))
struct ForegroundTests {
    let host: RuntimeHost

    init() throws { host = try RuntimeHost() }

    @Test(
        "the exit code is the payload's, or says why there was none",
        arguments: [
            (["true"], 0), (["sh", "-c", "exit 7"], 7), (["no-such-program"], 127), (["/etc/passwd"], 126),
            (["sh", "-c", "kill -TERM $$"], 143),
        ] as [([String], Int32)])
    func exitCodes(command: [String], code: Int32) throws {
        #expect(try host.run.run(["volt-container", "run", "--rm", "busybox"] + command).status == code)
        #expect(try host.states().isEmpty)
        #expect(try host.leftovers() == [])
    }

    @Test("an image that is not there is an error of the runtime, not of a payload")
    func unknownImage() throws {
        let result = try host.volt("run", "--rm", "nothing", "true")
        #expect(result.status == 125)
        #expect(result.stderr.contains("'nothing'"))
    }

    @Test("variables, the user of the image's own passwd and the working directory reach the payload")
    func settings() throws {
        let result = try host.volt(
            "run", "--rm", "-e", "A=b c", "--user", "app", "-w", "/made/for/it", "busybox", "sh", "-c",
            "id; echo $A; pwd; echo $HOME")
        #expect(
            result.stdout == "uid=1000(app) gid=1001(app) groups=44(extra)\nb c\n/made/for/it\n/home/app\n")
        let numeric = try host.volt(
            "run", "--rm", "--user", "4711:4712", "busybox", "sh", "-c", "id -u; id -g")
        #expect(numeric.stdout == "4711\n4712\n")
        #expect(try host.volt("run", "--rm", "--user", "nobody", "busybox", "true").status == 125)
    }

    @Test(
        "nothing is run as a number that is none, wherever it is written",
        arguments: ["4294967295", "2147483648", "-1", "0:4294967295", "+5"])
    func userNumbers(user: String) throws {
        let run = try host.volt("run", "--rm", "--user=\(user)", "busybox", "id", "-u")
        #expect(run.status == 125)
        #expect(run.stdout == "")
        #expect(run.stderr.contains("is not the number of a user or group"))
        #expect(try host.volt("import", "--name", "bad", "--user=\(user)", "busybox").status == 5)
        try #require(try host.volt("run", "-d", "--name", "c", "busybox", "sleep", "1000").status == 0)
        let executed = try host.volt("exec", "--user=\(user)", "c", "id", "-u")
        #expect(executed.status == 5)
        #expect(executed.stdout == "")
        #expect(try host.states().count == 1)
    }

    @Test("a number in the image's own passwd that the kernel reads as root is refused")
    func userOfImage() throws {
        let root = "\(host.scratch.path)/busybox"
        try Files.replace("\(root)/etc/passwd", with: "evil:x:4294967295:4294967295::/:/bin/sh\n".utf8)
        try #require(try host.volt("import", "--name", "evil", root).status == 0)
        let result = try host.volt("run", "--rm", "--user", "evil", "evil", "id", "-u")
        #expect(result.status == 125)
        #expect(result.stderr.contains("which nothing can be run as"))
    }

    @Test("a read-only root takes no file, and the volumes in it do")
    func readOnly() throws {
        let command = "touch /x; touch /srv/deep/y && echo kept; touch /etc/z"
        let result = try host.volt(
            "run", "--rm", "--read-only", "-v", "data:/srv/deep", "busybox", "sh", "-c", command)
        #expect(result.stdout == "kept\n")
        #expect(result.stderr.contains("/x: Read-only"))
        let again = try host.volt(
            "run", "--rm", "-v", "data:/data:ro", "busybox", "sh", "-c", "ls /data; touch /data/n")
        #expect(again.stdout == "y\n")
        #expect(again.status != 0)
    }

    @Test("a link of the image does not lead a mount out of the container")
    func mountThroughLink() throws {
        let outside = "\(host.scratch.path)/outside"
        try Files.makeDirectory(outside)
        // The link is made in a layer of its own container, whose root then has a mount below it.
        try #require(
            try host.run(
                "sh", "-c",
                "mkdir -p bad/usr && ln -s ../../../../../..\(outside) bad/usr/link && cp -r busybox/. bad"
            )
            .status == 0)
        try #require(try host.volt("import", "--name", "bad", "\(host.scratch.path)/bad").status == 0)
        _ = try host.volt("run", "--rm", "-v", "data:/usr/link/deep", "bad", "true")
        #expect(try Files.list(outside) == [])
    }

    @Test("the payload has Docker's capabilities, no new privileges and a filter that is on")
    func confinement() throws {
        let show = "grep -E '^(CapEff|CapBnd|NoNewPrivs|Seccomp):' /proc/self/status"
        let result = try host.volt("run", "--rm", "busybox", "sh", "-c", show)
        #expect(
            result.stdout
                == "CapEff:\t00000000a80425fb\nCapBnd:\t00000000a80425fb\nNoNewPrivs:\t1\nSeccomp:\t2\n")
        let calls = try host.volt(
            "run", "--rm", "busybox", "sh", "-c", "mount -t tmpfs x /www; unshare -U true; echo end")
        #expect(calls.stdout == "end\n")
        #expect(calls.stderr.contains("Operation not permitted"))
    }

    @Test("secrets of the environment stand in no command line, and process 1 cannot be looked into")
    func secrets() throws {
        let result = try host.volt(
            "run", "--rm", "-e", "TOKEN=hunter2", "busybox", "sh", "-c",
            "cat /proc/1/cmdline; cat /proc/1/environ; echo x > /proc/1/fd/4; echo end")
        #expect(!result.stdout.contains("hunter2"))
        #expect(result.stdout.hasSuffix("end\n"))
        for file in ["/proc/1/environ", "/proc/1/fd/4"] { #expect(result.stderr.contains(file)) }
    }

    @Test("what the shim is told wrongly, it refuses")
    func badSettings() throws {
        let path = "\(host.scratch.path)/settings"
        for bytes in [
            "", "x", "volt-settings 1", "volt-settings 2\0arg=x\0", "volt-settings 1\0=\0",
            "volt-settings 1\0arg\0",
        ] {
            try Files.replace(path, with: bytes.utf8)
            let result = try host.run(
                "sh", "-c", "exec volt-container--init 3<\(path) 4>\(host.scratch.path)/status")
            #expect(result.status == 125, "\(bytes.debugDescription)")
        }
    }
}
