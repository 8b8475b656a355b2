import Glibc
import Testing
import VoltSystem
import VoltTestKit

/// What the tool of a kind may print, by docs/contract.md.
@Suite(.timeLimit(.minutes(2))) struct ApplyOutputTests {
    /// Deploys a new commit with a tool whose `apply` is these lines of shell.
    private func deploy(_ host: Host, _ apply: String, exit code: Int = 0) throws -> ToolRunner.Result {
        try Files.replace(
            "\(host.directory)/bin/volt-probe",
            with: "#!/bin/sh\n[ \"$1\" = apply ] || exit 0\n\(apply)\nexit \(code)\n".utf8, mode: 0o755)
        try host.commit("c\(UInt32.random(in: 0...UInt32.max))")
        return try host.gitops("sync", "--name", "site")
    }

    @Test(
        "a result is one whatever its generation, the size of its message, its line ends and what follows it")
    func results() throws {
        let host = try Host()
        try host.createSite()
        let start = #"{"event":"result","status":"deployed","#
        for (apply, what) in [
            (#"echo '\#(start)"generation":7,"message":"m"}'"#, "a number"),
            (#"echo '\#(start)"generation":1.5e3,"message":"m","unknown":{"a":[1]}}'"#, "a broken number"),
            (#"echo '\#(start)"generation":{}}'"#, "no generation, no message"),
            (#"printf '\#(start)"message":"'; head -c 60000 /dev/zero | tr '\0' x; echo '"}'"#, "long"),
            (#"printf '\#(start)"message":"m"}\r\n'"#, "CRLF"),
            (#"printf '\#(start)"message":"m"}'"#, "no line end"),
            (#"echo '\#(start)"message":"m"}'; echo after; echo '{"event":"later"}'; echo err >&2"#, "more"),
        ] {
            let made = try deploy(host, apply)
            #expect(made.status == 0, "\(what): \(made.stderr)")
        }
        #expect(try host.gitops("show", "7").stdout.contains("after"))
    }

    @Test("a tool that gives no result, one too long, or one that its exit code denies is told so")
    func wrong() throws {
        let host = try Host()
        try host.createSite()
        for (apply, code, words) in [
            ("echo hello", 0, "'volt-probe apply' ended with 0, and no line of it is a result"),
            (
                #"printf '{"event":"result","status":"deployed","message":"'; head -c 70000 /dev/zero | tr '\0' x; echo '"}'"#,
                0, "a line of 'volt-probe apply' is longer than 64 KiB"
            ),
            (
                #"echo '{"event":"result","status":"deployed","message":"fine"}'"#, 3,
                "'volt-probe apply' ended with 3, though its result is 'deployed'"
            ),
        ] {
            let made = try deploy(host, apply, exit: code)
            #expect(made.status == 1 && made.stderr.contains(words), "\(made.stderr.suffix(400))")
        }
    }
}
