import FoundationEssentials
import GitopsEngine
import Glibc
import Testing
import VoltCore
import VoltSQLite
import VoltSystem
import VoltTestKit

/// A workload that changes its kind: the new one is applied first, then the old one is removed, whatever dies in
/// between. Two kinds in shell, each with a state of its own.
@Suite(.serialized, .timeLimit(.minutes(5))) struct KindChangeTests {
    /// Writes what it is asked into `applied`, as `KIND WORD`, and waits while `gates/KIND-WORD` is there. The file
    /// `KIND.runs` has the revision that runs. `KIND.refuses` makes a removal fail.
    private static let tool = """
        #!/bin/sh
        kind=${0##*/volt-}
        trap 'echo "$kind stopped" >>"$PROBE/applied"; exit 75' TERM
        verb=$1
        while [ $# -gt 0 ]; do
            [ "$1" != --revision ] || revision=$2
            [ "$1" != --source ] || source=$2
            [ "$1" != --replace-kind ] || replaced="$replaced $2"
            [ "$1" != --dry-run ] || verb=plan
            shift
        done
        at() {
            echo "$kind $1" >>"$PROBE/applied"
            while [ -e "$PROBE/gates/$kind-$1" ]; do sleep 0.02; done
        }
        case $verb in
        plan) echo '{"event":"plan","service":"web","change":"create","reasons":["new"]}' ;;
        status) state=absent
            [ ! -e "$PROBE/$kind.runs" ] || state=running
            echo '{"workload":"web","health":"none","restarts":0,"state":"'$state'"}' ;;
        remove) at remove
            [ ! -e "$PROBE/$kind.refuses" ] || { echo "$kind: error: it is busy" >&2; exit 1; }
            [ -e "$PROBE/$kind.runs" ] || exit 3
            rm "$PROBE/$kind.runs"
            at removed ;;
        apply) echo "$kind apply$replaced" >>"$PROBE/applied"
            at prepare
            [ ! -e "$source/broken" ] || { echo '{"error":"it is broken"}' >&2; exit 1; }
            at switch
            echo "$revision" >"$PROBE/$kind.runs"
            at done
            echo '{"event":"result","status":"deployed"}' ;;
        esac

        """

    /// A host with both kinds, on which a commit of kind alpha runs.
    private func host() throws -> Host {
        let host = try Host()
        for kind in ["alpha", "beta"] { try install(kind, on: host) }
        try commit("alpha", on: host)
        try host.createSite()
        let made = try host.gitops("sync", "--name", "site")
        try #require(made.status == 0, "\(made.stderr)")
        #expect(running(host) == ["alpha"])
        return host
    }

    private func install(_ kind: String, on host: Host) throws {
        try Files.replace("\(host.directory)/bin/volt-\(kind)", with: Self.tool.utf8, mode: 0o755)
        try Files.replace(
            "\(host.directory)/share/volt/commands/\(kind).json",
            with: Host.registration.replacing("probe", with: kind).utf8)
    }

    @discardableResult
    private func commit(_ kind: String, _ files: [String: String] = [:], on host: Host) throws -> String {
        let manifest = ["volt-manifest.yaml": "apiVersion: volt/v1\nkind: \(kind)\nspec: {}\n"]
        return try host.commit(
            "\(kind) \(UInt32.random(in: 0...UInt32.max))", files: manifest.merging(files) { $1 })
    }

    private func running(_ host: Host) -> [String] {
        ["alpha", "beta"].filter { Files.exists("\(host.directory)/\($0).runs") }
    }

    private struct Status: Decodable {
        struct Line: Decodable {
            let status: String
            let kind: WorkloadKindState?
        }
        let pipelines: [Line]
    }

    private func status(_ host: Host) throws -> Status.Line {
        let text = try host.gitops("status", "-o", "json").stdout
        return try #require(JSONDecoder().decode(Status.self, from: Data(text.utf8)).pipelines.first)
    }

    @Test("the old one is removed once the new one is healthy, and a plan says so before")
    func change() throws {
        let host = try host()
        try commit("beta", on: host)
        let plan = try host.gitops("plan", "--name", "site")
        #expect(
            (plan.stdout + plan.stderr).contains(
                "the kind of workload 'web' changes from 'alpha' to 'beta'"), "\(plan.stdout)")
        let made = try host.gitops("sync", "--name", "site")
        #expect(made.status == 0, "\(made.stderr)")
        #expect(running(host) == ["beta"])
        let applied = host.applied
        #expect(applied.contains("beta apply alpha"))
        #expect(
            try #require(applied.firstIndex(of: "beta done")) < #require(
                applied.firstIndex(of: "alpha remove")))
        #expect(try status(host).kind == WorkloadKindState(kind: "beta"))
        #expect(
            try host.gitops("show", "2").stdout.contains("workload 'web' of kind 'alpha' was removed"))
        // Nothing is left to be handed over.
        try commit("beta", on: host)
        #expect(try host.gitops("sync", "--name", "site").status == 0)
        #expect(
            host.applied.contains("beta apply") && host.applied.filter { $0 == "alpha remove" }.count == 1)
    }

    @Test("a new kind that fails leaves the old one alone, and is not asked to remove anything later")
    func failed() throws {
        let host = try host()
        try commit("beta", ["broken": ""], on: host)
        #expect(try host.gitops("sync", "--name", "site").status == 1)
        #expect(running(host) == ["alpha"])
        try host.git("rm", "-q", "broken")
        try commit("alpha", on: host)
        #expect(try host.gitops("sync", "--name", "site").status == 0)
        #expect(running(host) == ["alpha"])
        #expect(!host.applied.contains { $0.hasSuffix("remove") })
    }

    @Test(
        "a server killed at any step of a change finishes it after its next start",
        arguments: ["beta-prepare", "beta-switch", "beta-done", "alpha-remove", "alpha-removed"])
    func killed(gate: String) throws {
        let host = try host()
        let first = try Serve(host)
        try host.close(gate: gate)
        let new = try commit("beta", on: host)
        try host.deliver(new, to: first)
        let line = gate.replacing("-", with: " ")
        try host.wait("for \(gate)") { host.applied.contains(line) }
        first.end(SIGKILL)
        // The old one runs until the new one is healthy.
        #expect(running(host).contains(gate.hasPrefix("alpha") ? "beta" : "alpha"))
        let second = try Serve(host)
        try host.open(gate: gate)
        try host.wait("for the end of the change") {
            try host.history().allSatisfy(\.state.isFinal) && running(host) == ["beta"]
        }
        let last = try #require(try host.history().first)
        #expect(last.state == .done && last.commit == new, "\(last)")
        #expect(try status(host).kind == WorkloadKindState(kind: "beta"))
        #expect(second.end(SIGTERM) == 0)
    }

    @Test("an old one that is not removed is shown, and the next run removes it")
    func pending() throws {
        let host = try host()
        try Files.replace("\(host.directory)/alpha.refuses", with: [])
        try commit("beta", on: host)
        #expect(try host.gitops("sync", "--name", "site").status == 0)
        #expect(running(host) == ["alpha", "beta"])
        #expect(
            try host.gitops("show", "2").stdout.contains(
                "that of kind 'alpha' is not removed yet: workload 'web' was not removed: alpha: error: it is busy"
            ))
        #expect(try status(host).kind?.formerKinds == ["alpha"])
        #expect(try host.gitops("status").stderr.contains("was of kind 'alpha', which may still have it"))
        try Files.remove("\(host.directory)/alpha.refuses")
        let server = try Serve(host)
        try host.wait("for the removal") { running(host) == ["beta"] }
        #expect(server.end(SIGTERM) == 0)
        #expect(try status(host).kind?.formerKinds == nil)
        #expect(host.applied.filter { $0.hasPrefix("beta apply") }.count == 1)
    }

    @Test("a rollback over a change brings the old kind back and removes the new one")
    func rollback() throws {
        let host = try host()
        try commit("beta", on: host)
        #expect(try host.gitops("sync", "--name", "site").status == 0)
        let made = try host.gitops("rollback", "--name", "site")
        #expect(made.status == 0, "\(made.stderr)")
        #expect(running(host) == ["alpha"] && host.applied.contains("alpha apply beta"))
    }

    @Test("a journal of an earlier version knows the old kind by the snapshot that runs")
    func earlierJournal() throws {
        let host = try host()
        let database = try Database(
            path: "\(host.directory)/root/lib/gitops/journal.db",
            migrations: Array(repeating: "", count: 14))
        try database.execute("DELETE FROM marks")
        try commit("beta", on: host)
        #expect(try host.gitops("sync", "--name", "site").status == 0)
        #expect(running(host) == ["beta"] && host.applied.contains("beta apply alpha"))
    }

    @Test("a workload whose kind was uninstalled is shown as such, and may change to another kind")
    func uninstalled() throws {
        let host = try host()
        try Files.remove("\(host.directory)/bin/volt-alpha")
        #expect(try status(host).kind?.problem == "'volt-alpha' is not installed")
        #expect(
            try host.gitops("status").stderr.contains(
                "workload 'web' is of kind 'alpha', which cannot be asked: 'volt-alpha' is not installed"))
        #expect(try host.gitops("doctor", "--offline").stdout.contains("'volt-alpha' is not installed"))
        try commit("beta", on: host)
        #expect(try host.gitops("sync", "--name", "site").status == 0)
        #expect(try status(host).kind?.formerKinds == ["alpha"])
        let kept = try host.gitops("delete", "--name", "site", "--remove-workload")
        #expect(kept.status == 69 && kept.stderr.contains("'volt-alpha' is not installed"), "\(kept.stderr)")
        try install("alpha", on: host)
        #expect(try host.gitops("delete", "--name", "site", "--remove-workload").status == 0)
        #expect(running(host) == [])
    }
}
