import Glibc
import Testing
import VoltSystem
import VoltTestKit

/// What a command in the foreground has to do with its caller: standard input, signals, and how it ends.
@Suite(.enabled(if: runsContainers, "needs root, systemd-nspawn and busybox-static"), .timeLimit(.minutes(2)))
struct SignalTests {
    let host: RuntimeHost

    init() throws { host = try RuntimeHost() }

    private func shell(_ script: String) throws -> ToolRunner.Result {
        try host.run.run(["timeout", "60", "sh", "-c", script])
    }

    @Test("the command reads nothing of the caller's standard input unless that is handed on")
    func standardInput() throws {
        let loop =
            "printf '1\\n2\\n3\\n' | while read l; do volt-container run --rm busybox echo got $l; done"
        #expect(try shell(loop).stdout == "got 1\ngot 2\ngot 3\n")
        #expect(try host.volt("run", "--rm", "busybox", "cat", input: "typed").stdout == "")
        #expect(try host.volt("run", "--rm", "-i", "busybox", "cat", input: "typed").stdout == "typed")
        for words in [["-t"], ["-i", "-d"], ["-i", "-p", "8080:80"], ["-i", "--restart", "always"]] {
            let refused = try host.run.run(["volt-container", "run"] + words + ["busybox", "true"])
            #expect(refused.status == 64, "\(words)")
        }
        #expect(try host.states().isEmpty)
    }

    private let traps = """
        for s in HUP INT QUIT USR1 USR2 ALRM TERM; do trap "echo $s; exit 3" $s; done
        echo ready; while :; do sleep 0.02; done
        """

    @Test("a signal reaches the payload as it is, also one of several that are not known to the shim")
    func passedOn() throws {
        try Files.replace("\(host.scratch.path)/traps", with: traps.utf8)
        let script = """
            for s in HUP INT QUIT USR1 USR2 ALRM TERM; do
                volt-container run --rm --name c -v "$PWD/traps:/traps:ro" busybox sh /traps >out 2>&1 & run=$!
                until grep -q ready out; do sleep 0.02; done
                kill -$s $run; wait $run; echo "$? $(tail -n +2 out)"; rm out
            done
            """
        #expect(
            try shell(script).stdout == "3 HUP\n3 INT\n3 QUIT\n3 USR1\n3 USR2\n3 ALRM\n3 TERM\n")
        #expect(try host.states().isEmpty)
        #expect(try host.leftovers() == [])
    }

    @Test("so it does where ports are published, and by exec")
    func passedOnElsewhere() throws {
        try Files.replace("\(host.scratch.path)/traps", with: traps.utf8)
        let port = LoopbackPort.free()
        let script = """
            volt-container run --rm --name c -p 127.0.0.1:\(port):80 -v "$PWD/traps:/traps:ro" busybox sh /traps >out 2>&1 &
            run=$!
            until grep -q ready out; do sleep 0.02; done
            volt-container exec c sh /traps >inner 2>&1 & exec=$!
            until grep -q ready inner; do sleep 0.02; done
            kill -USR1 $exec; wait $exec; echo "$? $(tail -n +2 inner)"
            kill -USR2 $run; wait $run; echo "$? $(tail -n +2 out)"
            """
        let result = try shell(script)
        #expect(result.stdout == "3 USR1\n3 USR2\n", "\(result.stderr)")
        #expect(try host.states().isEmpty)
    }

    @Test("a signal at any moment of the start leaves no container behind")
    func early() throws {
        let script = """
            for delay in 0.01 0.03 0.06 0.1 0.15; do
                volt-container run --rm --name c busybox sleep 5 & run=$!
                sleep $delay; kill -TERM $run; wait $run; echo $?
            done
            """
        #expect(try shell(script).stdout == String(repeating: "143\n", count: 5))
        #expect(try host.states().isEmpty)
    }

    @Test("out of memory is said by the command, by its log and by what looks at it")
    func outOfMemory() throws {
        let run = try host.volt("run", "--rm", "--memory", "24M", "busybox", "tail", "/dev/zero")
        #expect(run.status == 137)
        #expect(run.stderr.contains("ran out of memory (limit 24M)"), "\(run.stderr)")
        try #require(
            try host.volt("run", "-d", "--name", "c", "--memory", "24M", "busybox", "tail", "/dev/zero")
                .status
                == 0)
        _ = try host.wait(for: "c") { $0.state == "exited" }
        #expect(try host.volt("ps", "--all").stdout.contains("exited (137, out of memory)"))
        let inspected = try host.volt("inspect", "c").stdout
        #expect(inspected.contains(#""oomKilled" : true"#))
        #expect(inspected.contains(#""message" : "ran out of memory (limit 24M)""#))
        #expect(try host.volt("logs", "c").stderr.contains("ran out of memory (limit 24M)"))
        // Another end is no lack of memory.
        let other = try host.volt("run", "--rm", "--memory", "24M", "busybox", "sh", "-c", "kill -KILL $$")
        #expect(other.status == 137)
        #expect(!other.stderr.contains("memory"))
    }

    @Test("a payload may open as many files as the host allows, at most 1048576, whatever its caller may")
    func openFiles() throws {
        var limit = rlimit()
        getrlimit(Int32(RLIMIT_NOFILE.rawValue), &limit)
        let least = min(limit.rlim_max, 1_048_576)
        let show = "ulimit -Sn; ulimit -Hn"
        let run = try shell("ulimit -Sn 256; volt-container run --rm busybox sh -c '\(show)'")
        try #require(
            try shell("ulimit -Sn 256; volt-container run -d --name c busybox sh -c '\(show); sleep 1000'")
                .status
                == 0)
        let exec = try shell("ulimit -Sn 256; volt-container exec c sh -c '\(show)'")
        for text in [run.stdout, exec.stdout, try host.volt("logs", "c").stdout] {
            let numbers = text.split(separator: "\n").compactMap { UInt($0) }
            #expect(numbers.count == 2 && numbers.allSatisfy { $0 >= least && $0 <= 1_048_576 }, "\(text)")
        }
    }

    @Test("rm --force kills at once; an empty user is none; the helper says that it is no command")
    func small() throws {
        let stubborn = "trap '' TERM; touch /www/ready; while :; do sleep 0.1; done"
        try #require(
            try host.volt("run", "-d", "--name", "c", "busybox", "sh", "-c", stubborn).status == 0)
        #expect(try shell("until volt-container exec c test -e /www/ready; do sleep 0.02; done").status == 0)
        let own = try host.volt("exec", "c", "/proc/self/exe")
        #expect(own.status == 64)
        #expect(own.stderr.contains("only 'volt container' starts this program"), "\(own.stderr)")
        #expect(try host.volt("exec", "-u", "", "c", "id").status == 64)
        #expect(try host.volt("run", "--rm", "-u", "", "busybox", "id").status == 64)
        let begun = ContinuousClock.now
        #expect(try host.volt("rm", "--force", "c").status == 0)
        #expect(ContinuousClock.now - begun < .seconds(5))
        #expect(try host.leftovers() == [])
    }
}
