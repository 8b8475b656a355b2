import Testing
import VoltCore
import VoltOCI

@testable import RegistryAccess

@Suite struct PolicyTests {
    @Test(
        "a pattern stands for the names it says",
        arguments: [
            ("team/web", "team/web", true), ("team/web", "team/web2", false), ("team/*", "team/web", true),
            ("team/*", "team", false), ("team/*", "team/web/x", false), ("team/**", "team", true),
            ("team/**", "team/a/b/c", true), ("team/**", "teams/a", false), ("**", "a", true),
            ("**", "a/b/c", true), ("**/web", "web", true), ("**/web", "a/b/web", true),
            ("**/web", "a/web/b", false), ("a/**/z", "a/z", true), ("a/**/z", "a/b/c/z", true),
            ("a/**/z", "a/b/c", false), ("ci-*", "ci-7", true), ("ci-*", "ci-", false),
            ("*-ci", "x-ci", true),
            ("a*b*c", "axbxbc", true), ("a*b*c", "axbxb", false), ("*", "a", true), ("*", "a/b", false),
            ("**/a/**/b", "x/a/y/a/b", true),
        ])
    func patterns(pattern: String, name: String, isMatch: Bool) throws {
        guard let name = OCIRepositoryName(parsing: name) else { return }
        #expect(try RepositoryPattern(pattern).matches(name) == isMatch)
    }

    @Test(
        "a pattern that is none is refused",
        arguments: ["", "/a", "a/", "a//b", "A", "a b", "***", "**a", "a:b", "?"])
    func noPattern(text: String) {
        #expect(throws: VoltError.self) { try RepositoryPattern(text) }
    }

    @Test("a pattern made to be slow is not")
    func slow() throws {
        let pattern = try RepositoryPattern(String(repeating: "*a", count: 200))
        let name = try #require(OCIRepositoryName(parsing: String(repeating: "a", count: 254) + "b"))
        let clock = ContinuousClock()
        let time = clock.measure { for _ in 0..<100 { _ = pattern.matches(name) } }
        #expect(!pattern.matches(name) && time < .seconds(2))
    }

    private func read(_ text: String) throws -> AccessPolicy {
        try AccessPolicy.read(Array(text.utf8), path: "p.yaml")
    }

    @Test(
        "a mistake in the file is named with its place",
        arguments: [
            ("", "p.yaml", "empty"), ("rules: []", "p.yaml:1:1", "'version' is missing"),
            ("version: 2", "p.yaml:1:10", "version 2"),
            ("version: 1\nrule: []", "p.yaml:2:1", "unknown key 'rule'"),
            ("version: 1\nrules:\n  - repository: A\n    allow: {}", "p.yaml:3:17", "pattern"),
            (
                "version: 1\nrules:\n  - repository: a\n    allow: { pul: [x] }", "p.yaml:4:14",
                "unknown key 'pul'"
            ),
            (
                "version: 1\nrules:\n  - repository: a\n    allow: { pull: ['group:x'] }", "p.yaml:4:21",
                "no group 'x'"
            ),
            (
                "version: 1\nrules:\n  - repository: a\n    allow: { pull: ['a:b'] }", "p.yaml:4:21",
                "not a user"
            ),
            ("version: 1\nrules:\n  - allow: {}", "p.yaml:3:5", "'repository' is missing"),
            ("version: 1\ngroups: { a: [anonymous] }", "p.yaml:2:15", "cannot be in a group"),
            ("version: 1\ngroups: { a: ['group:a'] }", "p.yaml:2:15", "another group"),
            ("version: 1\nadministrators: [anonymous]", "p.yaml:2:17", "cannot administer"),
            ("version: 1\nrealm: 'a\"b'", "p.yaml:2:8", "quotes"),
            ("version: 1\nrealm: \"a\\nb\"", "p.yaml:2:8", "quotes"),
            ("version: 1\ntokens: {}", "p.yaml:2:9", "'issue' or 'trust'"),
            ("version: 1\ntokens: { issue: {} }", "p.yaml:2:18", "'key' is missing"),
            ("version: 1\ntokens: { issue: { key: k, lifetime: 5s } }", "p.yaml:2:38", "1m to 1h"),
            (
                "version: 1\ntokens: { trust: { issuer: a, service: b, realm: 'https://a' } }", "p.yaml:2:18",
                "certificates"
            ),
            (
                "version: 1\ntokens: { trust: { issuer: a, service: b, realm: 'ftp://a', keys: k } }",
                "p.yaml:2:50", "URL"
            ),
            ("version: 1\nlimits: { requestsPerSecond: 0 }", "p.yaml:2:30", "1 to 1000000"),
            ("version: 1\nreadOnly: yes", "p.yaml:2:11", "true or false"),
        ])
    func mistakes(text: String, place: String, message: String) {
        let error = #expect(throws: VoltError.self) { try read(text) }
        #expect(error?.code == .usage)
        #expect(
            error?.message.hasPrefix(place) == true && error?.message.contains(message) == true,
            "\(error?.message ?? "")")
    }

    @Test("a wrong key gets the nearest one as a hint")
    func nearest() {
        let error = #expect(throws: VoltError.self) { try read("version: 1\nreadonly: true") }
        #expect(error?.hint == "did you mean 'readOnly'?")
    }

    @Test("paths are seen from the folder of the policy")
    func paths() throws {
        let policy = try AccessPolicy.read(Array("version: 1\nusers: u".utf8), path: "/etc/volt/p.yaml")
        #expect(policy.users == "/etc/volt/u")
    }

    @Test("rules add up, push is pull as well, and nothing is allowed that no rule allows")
    func rules() throws {
        let policy = try read(
            """
            version: 1
            rules:
              - { repository: "a/**", allow: { pull: [alice] } }
              - { repository: "a/b", allow: { push: [bob], delete: ["cert:bob"] } }
            """)
        let all: [(AccessUser, RegistryAction, String, Bool)] = [
            (.named("alice"), .pull, "a/b", true), (.named("alice"), .push, "a/b", false),
            (.named("bob"), .push, "a/b", true), (.named("bob"), .pull, "a/b", true),
            (.named("bob"), .pull, "a/c", false), (.named("bob"), .delete, "a/b", false),
            (.certificate("bob"), .delete, "a/b", true), (.certificate("bob"), .pull, "a/b", false),
            (.outside("alice"), .pull, "a/b", false), (.anonymous, .pull, "a/b", false),
            (.named("alice"), .pull, "b", false),
        ]
        for (user, action, name, isAllowed) in all {
            #expect(policy.allows(user, want(action, name)) == isAllowed, "\(user) \(action) \(name)")
        }
        #expect(!policy.allows(.anonymous, want(.catalog)) && policy.allows(.named("x"), want(.catalog)))
        #expect(!policy.allows(.named("alice"), want(.administer)))
        // A token from outside is not a login here.
        let open = try read("version: 1\nrules: [{ repository: '**', allow: { push: [authenticated] } }]")
        #expect(
            open.allows(.certificate("c"), want(.push, "a")) && !open.allows(.outside("c"), want(.push, "a")))
    }
}
