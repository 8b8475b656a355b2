import FoundationEssentials
import GitopsEngine
import Glibc
import Testing
import VoltCore
import VoltTestKit

@Suite(.serialized, .timeLimit(.minutes(3))) struct WhyTests {
    @Test("show has the trigger, both commits, the files, the decision, the steps and the log")
    func show() throws {
        let host = try Host()
        try host.createSite()
        #expect(try host.gitops("sync", "--name", "site").status == 0)
        let old = try host.git("rev-parse", "HEAD")
        let server = try Serve(host)
        let new = try host.commit("two", files: ["broken": "", "more": "x"])
        try host.deliver(new, to: server)
        try host.wait("for the failure") { try host.history().first?.state == .failed }
        let shown = try host.gitops("show", "2", "-o", "json").stdout
        let report = try JSONDecoder().decode(AttemptReport.self, from: Data(shown.utf8))
        #expect(report.attempt.trigger == .webhook)
        #expect(report.attempt.delivery?.hasPrefix("d-") == true)
        #expect(report.attempt.oldCommit == old)
        #expect(report.attempt.commit == new)
        #expect(
            report.files.map { "\($0.kind) \($0.path)" } == ["added broken", "added more", "changed text"])
        #expect(report.steps.map(\.state) == [.fetching, .building, .starting, .checking])
        #expect(report.steps.allSatisfy { $0.milliseconds != nil })
        #expect(report.log == ["it does not start"])
        #expect(report.attempt.decision?.hasPrefix("failed while checking: the health check failed") == true)
        let text = try host.gitops("show", "2").stdout
        for part in ["attempt   2 of pipeline 'site'", "  added more", "checking", "  it does not start"] {
            #expect(text.contains(part), "\(text)")
        }
        #expect(try host.gitops("show", "99").status == 3)
    }

    @Test("logs --why says of each attempt what made it and why it ended so")
    func why() throws {
        let host = try Host()
        try host.createSite()
        #expect(try host.gitops("sync", "--name", "site").status == 0)
        let commit = try host.git("rev-parse", "HEAD")
        let server = try Serve(host)
        try host.deliver(commit, to: server)
        try host.wait("for the end") { try host.history().first { $0.trigger == .webhook }?.state == .done }
        let lines = try host.gitops("logs", "--name", "site", "--why").stdout.split(separator: "\n")
        #expect(lines.count == 6)
        #expect(lines[0].hasPrefix("2  "))
        #expect(lines[1].hasPrefix("    made by webhook, delivery d-"))
        #expect(lines[2] == "    nothing to do: \(commit.prefix(7)) runs already")
        #expect(lines[4] == "    made by manual: manual sync")
        #expect(
            lines[5]
                == "    deployed because nothing ran before and \(commit.prefix(7)) is the tip of 'main'; it is healthy"
        )
    }

    @Test("logs -f follows the attempt that is under way to its end, in plain lines without a terminal")
    func follow() throws {
        let host = try Host()
        try host.createSite()
        let server = try Serve(host)
        let bad = try host.commit("bad", files: ["broken": ""])
        try host.close(gate: "check")
        try host.deliver(bad, to: server)
        try host.wait("for the check") { host.applied.contains("check \(bad)") }
        let opener = "( sleep 0.5; rm \"$PROBE/gates/check\" ) & volt-gitops logs --name site -f"
        let followed = try host.tool.run(["sh", "-c", opener])
        #expect(followed.status == 0)
        #expect(followed.stdout == "it does not start\n")
        let steps = followed.stderr.split(separator: "\n").compactMap { $0.split(separator: " ").last }
        #expect(steps.contains("building") && steps.contains("checking"))
        #expect(followed.stderr.contains("failed while checking"))
        #expect(!followed.stderr.contains("\r"))
    }

    @Test("on a terminal logs -f draws one line that says what the attempt is at")
    func progressLine() throws {
        let host = try Host()
        try host.createSite()
        let server = try Serve(host)
        let commit = try host.git("rev-parse", "HEAD")
        try host.close(gate: "check")
        try host.deliver(commit, to: server)
        try host.wait("for the check") { host.applied.contains("check \(commit)") }
        let opener =
            "( sleep 0.7; rm \"$PROBE/gates/check\" ) & script -qec 'volt-gitops logs --name site -f' typescript"
        let followed = try host.tool.run(["sh", "-c", opener])
        #expect(followed.status == 0)
        let drawn = followed.stdout.split(separator: "\r\u{1B}[K").filter {
            $0.contains("checking \(commit.prefix(7))")
        }
        #expect(drawn.count >= 3, "\(followed.stdout)")
        #expect(followed.stdout.contains("success"))
    }
}
