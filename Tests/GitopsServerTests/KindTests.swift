import Glibc
import Testing
import VoltCore
import VoltSystem
import VoltTestKit

/// A manifest runs no program that was not registered as a kind of workload.
@Suite(.serialized, .timeLimit(.minutes(5))) struct KindTests {
    @Test("a tool that is on PATH and not registered is never run, and the file to write is named")
    func unregistered() throws {
        let host = try Host()
        try host.createSite()
        // It leaves a mark whatever it is called with.
        try Files.replace(
            "\(host.directory)/bin/volt-x", with: "#!/bin/sh\necho \"$@\" >>\"$PROBE/ran\"\n".utf8,
            mode: 0o755)
        for kind in ["x", "cas", "help"] {
            try host.commit(
                kind, files: ["volt-manifest.yaml": "apiVersion: volt/v1\nkind: \(kind)\nspec: {}\n"])
            let made = try host.gitops("sync", "--name", "site")
            #expect(made.status == 1, "\(made.stderr)")
            if kind != "help" {
                #expect(
                    made.stderr.contains("'\(kind)' is not a kind of workload on this host"), "\(made.stderr)"
                )
            }
        }
        #expect(
            try host.gitops("logs", "--name", "site").stdout.contains("'volt-help' is not installed"))
        try host.commit("x", files: ["volt-manifest.yaml": "apiVersion: volt/v1\nkind: x\nspec: {}\n"])
        let plan = try host.gitops("plan", "--name", "site")
        #expect(
            plan.stdout.contains("'x' is not a kind of workload on this host"), "\(plan.stdout)\(plan.stderr)"
        )
        #expect(!Files.exists("\(host.directory)/ran"))
        let file = "\(host.directory)/share/volt/commands/x.json"
        let show = try host.gitops("show", "1")
        #expect(show.stdout.contains("write '\(file)'"), "\(show.stdout)")
        try Files.replace(file, with: Host.registration.replacing("probe", with: "x").utf8)
        _ = try host.gitops("sync", "--name", "site")
        #expect(Files.exists("\(host.directory)/ran"))
    }

    @Test("a workload of a kind that is registered no more is neither asked, nor repaired, nor removed")
    func withdrawn() throws {
        let host = try Host()
        try host.createSite("--drift", "repair", "--drift-interval", "1s")
        #expect(try host.gitops("sync", "--name", "site").status == 0)
        try Files.remove("\(host.directory)/share/volt/commands/probe.json")
        let doctor = try host.gitops("doctor")
        #expect(
            doctor.stdout.contains("'probe' is not a kind of workload on this host, which site needs"),
            "\(doctor)")
        let removed = try host.gitops("delete", "--name", "site", "--remove-workload")
        #expect(removed.status == 5, "\(removed.stderr)")
        #expect(host.applied.filter { $0 == "remove" }.isEmpty)
        #expect(try host.gitops("list").stdout.contains("site"))
    }
}
