import Glibc
import Testing
import VoltCore
import VoltSystem
import VoltTestKit
import VoltWorkload

@testable import VoltWorkloadTool

/// `apply` of kinds in shell: what they say comes as it is said, and how they end is told apart.
@Suite(.timeLimit(.minutes(2))) final class ApplyTests {
    private let scratch: ScratchDirectory
    private let request: ApplyRequest

    init() throws {
        scratch = try ScratchDirectory()
        request = ApplyRequest(
            workload: try Name("web", of: "workload"), manifest: "/m", source: "/s", revision: "abc")
    }

    private static let result = #"{"event":"result","status":"deployed","images":{"a":"sha256:1"}}"#

    private func kind(_ lines: String) throws -> WorkloadTool {
        let path = "\(scratch.path)/volt-probe"
        try Files.replace(path, with: "#!/bin/sh\n\(lines)\n".utf8, mode: 0o755)
        let environment = ["PATH": "/usr/bin:/bin", "SCRATCH": scratch.path]
        return WorkloadTool(kind: "probe", command: ToolCommand(path: path, environment: environment))
    }

    private func failure(_ end: ApplyEnd) -> VoltError? {
        do throws(VoltError) {
            _ = try end.status()
            return nil
        } catch { return error }
    }

    @Test("steps and lines come while the tool runs, and the result is its last")
    func events() throws {
        // The tool waits for what is done about its first step.
        let tool = try kind(
            #"""
            echo "$*" >"$SCRATCH/words"
            echo '{"event":"step","step":"start","state":"started","at":"2026-01-01T00:00:00.000Z"}'
            while [ ! -e "$SCRATCH/seen" ]; do sleep 0.02; done
            echo '{"event":"log","stream":"stdout","line":"pulling"}'
            echo 'plain' >&2
            sleep 0.3
            printf '\#(Self.result)\r\n'
            """#)
        var news: [ApplyProgress] = []
        var pid: Int32 = 0
        let end = try tool.apply(request, limit: .seconds(20), started: { pid = $0 }) { one in
            news.append(one)
            if one == .step(.start, .started) {
                try? Files.replace("\(scratch.path)/seen", with: [])
            }
        }
        #expect(pid > 1 && end.isSettled && end.images == ["a": "sha256:1"])
        #expect(try end.status() == .deployed)
        #expect(news.first == .step(.start, .started))
        #expect(news.contains(.log("pulling")) && news.contains(.log("plain")) && news.count == 3)
        let words = String(decoding: try Files.read("\(scratch.path)/words"), as: UTF8.self)
        #expect(
            words
                == "apply --workload web --manifest /m --source /s --revision abc --timeout 20s -o json\n")
    }

    @Test("a tool that is asked to give up may undo, and says so by its exit code")
    func cancelled() throws {
        let tool = try kind(
            #"""
            trap 'echo undone >"$SCRATCH/undone"; exit 75' TERM
            echo ready
            while :; do sleep 0.02; done
            """#)
        var isReady = false
        let end = try tool.apply(
            request, limit: .seconds(20), stop: { Files.exists("\(scratch.path)/ready") }
        ) { _ in
            isReady = true
            try? Files.replace("\(scratch.path)/ready", with: [])
        }
        #expect(isReady && end.isSettled && Files.exists("\(scratch.path)/undone"))
        #expect(failure(end)?.message == "ready")
    }

    @Test("a tool that is killed has not settled what it did")
    func killed() throws {
        let end = try kind("echo '{\"event\":\"log\",\"stream\":\"stderr\",\"line\":\"half\"}'; kill -9 $$")
            .apply(request, limit: .seconds(20)) { _ in }
        #expect(!end.isSettled && failure(end)?.message == "half")
        let silent = try kind("kill -9 $$").apply(request, limit: .seconds(20)) { _ in }
        #expect(failure(silent)?.message == "'volt-probe apply' was ended by signal 9")
    }

    @Test("an error of the tool is told with its hint, also when a plain line follows it")
    func refusal() throws {
        let end = try kind(
            #"echo '{"code":1,"error":"no image","hint":"push it"}' >&2; echo more >&2; exit 1"#
        ).apply(request, limit: .seconds(20)) { _ in }
        #expect(failure(end) == VoltError(.failed, "no image", hint: "push it"))
        let odd = try kind(#"echo '{"code":"x","error":"odd","hint":7}' >&2; exit 1"#)
            .apply(request, limit: .seconds(20)) { _ in }
        #expect(failure(odd) == VoltError(.failed, "odd"))
    }

    @Test("an error of the one who is told is thrown after the tool has ended")
    func journal() throws {
        let tool = try kind("echo a; echo b; echo '\(Self.result)'; touch \"$SCRATCH/ended\"")
        var lines = 0
        let end = try tool.apply(request, limit: .seconds(20)) { (_) throws(VoltError) in
            lines += 1
            throw VoltError(.inputOutput, "error \(lines)")
        }
        #expect(lines == 2 && Files.exists("\(scratch.path)/ended"))
        #expect(failure(end) == VoltError(.inputOutput, "error 1"))
    }

    @Test("a result and the exit code have to agree, and a message is the reason of a failure")
    func disagreement() throws {
        for (lines, message) in [
            (
                "echo '\(Self.result)'; exit 3",
                "'volt-probe apply' ended with 3, though its result is 'deployed'"
            ),
            ("true", "'volt-probe apply' ended with 0, and no line of it is a result"),
            (
                #"echo '{"event":"result","status":"failed","message":"it is ill"}'; exit 1"#, "it is ill"
            ),
            (
                #"printf '{"event":"result","message":"'; head -c 70000 /dev/zero | tr '\0' x; echo '"}'"#,
                "a line of 'volt-probe apply' is longer than 64 KiB, and no other is its result"
            ),
            ("head -c 70000 /dev/zero | tr '\\0' x >&2; exit 1", String(repeating: "x", count: 4096) + "…"),
        ] {
            let end = try kind(lines).apply(request, limit: .seconds(20)) { _ in }
            #expect(failure(end)?.message == message, "\(lines)")
        }
    }

    @Test("a hand over names the kinds that had the workload, but not to a tool that knows none")
    func replacedKinds() throws {
        var request = request
        request.replacedKinds = ["old", "older"]
        let tool = try kind("echo \"$*\" >>\"$SCRATCH/words\"; echo '\(Self.result)'")
        let end = try tool.apply(request, limit: .seconds(20)) { _ in }
        #expect(try end.status() == .deployed)
        let plain = try kind(
            """
            echo "$*" >>"$SCRATCH/words"
            case "$*" in *--replace-kind*) echo 'unknown option' >&2; exit 64;; esac
            echo '\(Self.result)'
            """)
        #expect(try plain.apply(request, limit: .seconds(20)) { _ in }.status() == .deployed)
        let words = String(decoding: try Files.read("\(scratch.path)/words"), as: UTF8.self)
        let option = "--replace-kind old --replace-kind older"
        #expect(words.split(separator: "\n").map { $0.contains(option) } == [true, true, false])
    }
}
