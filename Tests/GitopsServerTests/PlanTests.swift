import FoundationEssentials
import GitopsEngine
import Testing
import VoltTestKit

@Suite(.serialized, .timeLimit(.minutes(2))) struct PlanTests {
    private func plan(_ host: Host) throws -> DeployPlan {
        let result = try host.gitops("plan", "--name", "site", "-o", "json")
        try #require(result.status == 0, "\(result.stderr)")
        return try JSONDecoder().decode(DeployPlan.self, from: Data(result.stdout.utf8))
    }

    @Test("plan says what a deploy would change, and changes nothing")
    func wouldDeploy() throws {
        let host = try Host()
        try host.createSite()
        let old = try host.git("rev-parse", "HEAD")
        var found = try plan(host)
        #expect(found.wouldDeploy)
        #expect(found.reason == "nothing was deployed before")
        #expect(try host.gitops("sync", "--name", "site").status == 0)
        found = try plan(host)
        #expect(!found.wouldDeploy)
        #expect(found.reason == "\(old.prefix(7)) is deployed already")
        let new = try host.commit("two", files: ["more": "x"])
        found = try plan(host)
        #expect(found.wouldDeploy)
        #expect(found.commit == new)
        #expect(found.deployed == old)
        #expect(found.files.map(\.path) == ["more", "text"])
        #expect(found.kind == "probe")
        #expect(found.serviceLines == ["web: replace: image"])
        #expect(try host.history().count == 1)
        #expect(host.running == old)
        let text = try host.gitops("plan", "--name", "site").stdout
        #expect(
            text == """
                \(new.prefix(7)) would be deployed: \(new.prefix(7)), the tip of 'main', differs from \(old.prefix(7)) that runs
                files
                  added more
                  changed text
                services of kind 'probe'
                  web: replace: image

                """)
    }

    @Test("plan says why nothing would happen: held, suspended, or bound to fail")
    func wouldNot() throws {
        let host = try Host()
        try host.createSite("--attempts", "1")
        #expect(try host.gitops("sync", "--name", "site").status == 0)
        try host.commit("bad", files: ["broken": ""])
        #expect(try plan(host).reason == "it would fail: it cannot be read")
        #expect(try host.gitops("sync", "--name", "site").status == 1)
        #expect(try plan(host).reason.contains("is held: it failed once"))
        try host.commit("good", without: ["broken"])
        #expect(try host.gitops("suspend", "--name", "site").status == 0)
        let suspended = try plan(host)
        #expect(!suspended.wouldDeploy)
        #expect(suspended.reason.contains("suspended by"))
    }
}
