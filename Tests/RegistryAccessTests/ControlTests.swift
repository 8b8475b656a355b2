import Testing
import VoltCore
import VoltOCI
import VoltSystem

@testable import RegistryAccess

@Suite struct ControlTests {
    private let now = AccessFixture.now

    @Test("without a policy everybody may do everything, at once")
    func everybody() {
        let control = AccessControl.everybody()
        let decision = control.authorizeAtOnce(
            request("nonsense", want(.push, "a"), want(.administer)), now: now)
        #expect(decision?.word == "anonymous" && decision?.grant?.may(.delete) == true)
        #expect(!control.hasPolicy)
        if case .notHere = control.token(TokenRequest(query: "", address: "::1"), now: now) {
        } else {
            Issue.record("a token without a policy")
        }
    }

    @Test("users, certificates and rights, by Basic")
    func table() throws {
        let fixture = try AccessFixture()
        let control = try fixture.standard()
        let all: [(String?, String?, [AccessWant], String)] = [
            (nil, nil, [], "401"), ("alice", nil, [], "alice"), (nil, "builder", [], "cert:builder"),
            (nil, nil, [want(.pull, "public/a")], "anonymous"), (nil, nil, [want(.push, "public/a")], "401"),
            (nil, nil, [want(.pull, "team/web")], "401"), (nil, nil, [want(.catalog)], "401"),
            ("bob", nil, [want(.push, "public/a/b")], "bob"), ("eve", nil, [want(.push, "public/a")], "403"),
            ("eve", nil, [want(.pull, "team/web")], "eve"), ("eve", nil, [want(.delete, "team/web")], "403"),
            ("bob", nil, [want(.delete, "team/web")], "bob"), ("bob", nil, [want(.administer)], "403"),
            ("alice", nil, [want(.administer), want(.delete, "any/thing")], "alice"),
            (nil, "builder", [want(.push, "team/web")], "cert:builder"),
            (nil, "other", [want(.push, "team/web")], "403"), (nil, "alice", [want(.administer)], "403"),
            ("eve", "builder", [want(.push, "team/web")], "403"),
            ("bob", nil, [want(.pull, "team/web"), want(.push, "public/a")], "bob"),
            ("bob", nil, [want(.pull, "other/x"), want(.push, "public/a")], "403"),
            (nil, nil, [want(.administer)], "401"),
        ]
        for (user, cert, wants, word) in all {
            var asked = request(user.map { basic($0) }, cert: cert)
            asked.wants = wants
            #expect(control.authorize(asked, now: now).word == word, "\(user ?? "-") \(cert ?? "-") \(wants)")
        }
        // A name that would be two lines of a log is none.
        #expect(
            control.authorize(request(nil, cert: "a\nb", want(.pull, "public/a")), now: now).word
                == "anonymous")
        let challenge = control.authorize(request(), now: now).challenge
        #expect(challenge == #"Basic realm="registry.example", charset="UTF-8""#)
        let grant = try #require(control.authorize(request(basic("eve"), want(.catalog)), now: now).grant)
        let seen = ["public/a", "team/web", "secret/x"].filter {
            OCIRepositoryName(parsing: $0).map(grant.maySee) == true
        }
        #expect(seen == ["public/a", "team/web"])
    }

    @Test(
        "who lists repositories is asked for a login where that shows more, and without one where it can be had"
    )
    func catalog() throws {
        let fixture = try AccessFixture()
        let control = try fixture.standard(AccessFixture.issue)
        let asked = control.authorize(request(nil, want(.catalog)), now: now)
        #expect(asked.challenge?.contains("scope=\"registry:catalog:*\"") == true, "\(asked)")
        // A browser is shown what is public.
        var page = request(nil, want(.catalog))
        page.isPage = true
        #expect(control.authorize(page, now: now).word == "anonymous")
        // With tokens there is one for whoever has no login.
        let answer = control.token(
            TokenRequest(query: "scope=registry:catalog:*", address: "192.0.2.1"), now: now)
        guard case .issued(let json) = answer else {
            Issue.record("no token: \(answer)")
            return
        }
        let token = json.split(separator: "\"token\":\"").last?.prefix { $0 != "\"" } ?? ""
        let grant = try #require(
            control.authorize(request("Bearer \(token)", want(.catalog)), now: now).grant)
        let seen = ["public/a", "team/web"].filter {
            OCIRepositoryName(parsing: $0).map(grant.maySee) == true
        }
        #expect(seen == ["public/a"])
        // The policy can let everybody list, and where all is public there is nothing more to see.
        for more in [
            "catalog: [anonymous]\nrules: [{ repository: 'a/**', allow: { pull: [anonymous] } }]\n",
            "rules: [{ repository: '**', allow: { pull: [anonymous] } }]\n",
        ] {
            let open = try fixture.open("version: 1\nusers: htpasswd\n" + more)
            #expect(open.authorize(request(nil, want(.catalog)), now: now).word == "anonymous", "\(more)")
        }
    }

    @Test("where nobody can log in, 403 says so and no login is asked for")
    func noLogin() throws {
        let fixture = try AccessFixture()
        let control = try fixture.open(
            "version: 1\nrules: [{ repository: '**', allow: { pull: [anonymous] } }]\n")
        #expect(control.authorize(request(), now: now).word == "anonymous")
        #expect(control.authorize(request(nil, want(.push, "a")), now: now).word == "403")
        #expect(control.authorize(request(basic("a"), want(.pull, "a")), now: now).word == "401")
    }

    @Test("read-only refuses pushes and deletions to everybody")
    func readOnly() throws {
        let fixture = try AccessFixture()
        let control = try fixture.standard("readOnly: true\n")
        for action in [RegistryAction.push, .delete] {
            let decision = control.authorize(request(basic("alice"), want(action, "team/web")), now: now)
            #expect(decision.word == "403" && decision.message == "the registry is read-only")
        }
        #expect(control.authorize(request(basic("alice"), want(.pull, "team/web")), now: now).word == "alice")
        #expect(control.isReadOnly)
    }

    @Test("requests beyond the rate are put off, by user or address")
    func limits() throws {
        let fixture = try AccessFixture()
        let control = try fixture.standard("limits: { requestsPerSecond: 10, burst: 3 }\n")
        func ask(_ user: String?, _ address: String, _ moment: Timestamp) -> AccessDecision {
            control.authorize(
                request(user.map { basic($0) }, address: address, want(.pull, "public/a")), now: moment)
        }
        for _ in 0..<3 { #expect(ask(nil, "192.0.2.1", now).word == "anonymous") }
        guard case .limited(let wait) = ask(nil, "192.0.2.1", now) else {
            Issue.record("not limited")
            return
        }
        #expect(wait == .milliseconds(100))
        #expect(ask(nil, "::ffff:192.0.2.1", now).word == "429")
        #expect(ask(nil, "192.0.2.2", now).word == "anonymous")
        #expect(ask("bob", "192.0.2.1", now).word == "bob")
        #expect(ask(nil, "192.0.2.1", now.advanced(by: .milliseconds(100))).word == "anonymous")
        #expect(ask(nil, "192.0.2.1", now.advanced(by: .milliseconds(100))).word == "429")
    }

    @Test("a reload takes the whole file or nothing")
    func reload() throws {
        let fixture = try AccessFixture()
        let control = try fixture.standard()
        #expect(control.authorize(request(nil, want(.pull, "public/a")), now: now).word == "anonymous")
        try fixture.write("policy.yaml", "version: 1\nreadOnly: true\nrulse: []\n")
        let error = #expect(throws: VoltError.self) { try control.reload(now: now) }
        #expect(error?.code == .usage && error?.message.contains("policy.yaml:3:1") == true)
        #expect(!control.isReadOnly)
        try fixture.write("policy.yaml", "version: 1\nusers: nowhere\nreadOnly: true\n")
        #expect(throws: VoltError.self) { try control.reload(now: now) }
        #expect(control.authorize(request(nil, want(.pull, "public/a")), now: now).word == "anonymous")
        try fixture.write("policy.yaml", "version: 1\nusers: htpasswd\nreadOnly: true\n")
        try control.reload(now: now)
        #expect(control.isReadOnly)
        #expect(control.authorize(request(nil, want(.pull, "public/a")), now: now).word == "401")
    }

    @Test("decisions that need no hash take microseconds")
    func quick() throws {
        let fixture = try AccessFixture()
        let control = try fixture.standard(AccessFixture.issue)
        let login = request(basic("bob"), want(.pull, "team/web"))
        _ = control.authorize(login, now: now)
        let clock = ContinuousClock()
        let time = clock.measure {
            for _ in 0..<2000 {
                _ = control.authorizeAtOnce(login, now: now)
                _ = control.authorizeAtOnce(request(nil, want(.pull, "public/a")), now: now)
            }
        }
        // A debug build takes 12 µs for one.
        #expect(time < .seconds(1), "\(time)")
    }
}
