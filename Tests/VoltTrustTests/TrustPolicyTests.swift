import Testing
import VoltCore
import VoltCrypto
import VoltOCI
import VoltSigning
import VoltTrust

@Suite struct TrustPolicyTests {
    private static let pem = PrivateKey.newP256()

    /// A policy whose key files all hold one key, but for `broken`.
    private func policy(_ text: String) throws(VoltError) -> TrustPolicy {
        try TrustPolicy.read(Array(text.utf8), path: "/etc/volt/trust.yaml") { path throws(VoltError) in
            if path == "/etc/volt/keys/broken" { return Array("nothing".utf8) }
            return try PrivateKey(pem: Self.pem, named: path).publicKey.pem
        }
    }

    private func shown(_ policy: TrustPolicy, _ name: String) throws -> String {
        switch policy.decision(try OCIReference(name)) {
        case .accept: return "accept"
        case .refuse(let rule): return "refuse \(rule)"
        case .signed(let requirement):
            var identity = "any"
            if case .repository(let name) = requirement.identity { identity = name }
            return "\(requirement.keys.map(\.name)) \(identity) \(requirement.rule)"
        }
    }

    @Test("the first rule that stands for a name decides, and the default for the others")
    func decisions() throws {
        let policy = try policy(
            """
            version: 1
            default: refuse
            images:
              - name: registry.example/team/public
                accept: true
              - name: registry.example/team/**
                signedBy: [keys/team.pub, /srv/ops.pub]
              - name: docker.io/library/*
                signedBy: [keys/team.pub]
                identity: registry.example/mirror
              - { name: "localhost:5000/**", signedBy: [a], identity: any }
              - { name: "*.example/**", refuse: true }
            """)
        for (name, wanted) in [
            ("registry.example/team/public:1", "accept"),
            (
                "registry.example/team/web:1",
                #"["/etc/volt/keys/team.pub", "/srv/ops.pub"] registry.example/team/web /etc/volt/trust.yaml:6"#
            ),
            (
                "registry.example/team/a/b@sha256:\(String(repeating: "a", count: 64))",
                #"["/etc/volt/keys/team.pub", "/srv/ops.pub"] registry.example/team/a/b /etc/volt/trust.yaml:6"#
            ),
            ("debian:12", #"["/etc/volt/keys/team.pub"] registry.example/mirror /etc/volt/trust.yaml:8"#),
            (
                "index.docker.io/library/debian",
                #"["/etc/volt/keys/team.pub"] registry.example/mirror /etc/volt/trust.yaml:8"#
            ),
            ("localhost:5000/x", #"["/etc/volt/a"] any /etc/volt/trust.yaml:11"#),
            ("localhost:5001/x", "refuse /etc/volt/trust.yaml:2"),
            ("other.example/x", "refuse /etc/volt/trust.yaml:12"),
            ("registry.example/teams/x", "refuse /etc/volt/trust.yaml:12"),
            ("docker.io/team/x", "refuse /etc/volt/trust.yaml:2"),
        ] {
            #expect(try shown(policy, name) == wanted, "\(name)")
        }
    }

    @Test(
        "what is wrong is refused with its place",
        arguments: [
            ("", "1:1"), ("version: 2\ndefault: accept\n", "1:10: version 2 is not known"),
            ("version: 1\n", "'default' is missing"), ("default: accept\n", "'version' is missing"),
            ("version: 1\ndefault: maybe\n", "2:10: expected accept or refuse"),
            ("version: 1\ndefault: accept\nimage: []\n", "3:1: unknown key 'image'"),
            (rule("name: registry.example/x"), "4:5: one of 'signedBy', 'accept' and 'refuse' is needed"),
            (rule("name: registry.example/x, accept: true, refuse: true"), "one of 'signedBy'"),
            (rule("name: registry.example/x, accept: false"), "expected true"),
            (rule("name: registry.example/x, signedBy: []"), "no key is named"),
            (rule("name: registry.example/x, signedBy: keys/team.pub"), "expected a list"),
            (rule("name: registry.example/x, signedBy: [keys/broken]"), "4:43: '/etc/volt/keys/broken'"),
            (rule("name: registry.example/x, accept: true, identity: any"), "belongs to 'signedBy'"),
            (
                rule("name: registry.example/x, signedBy: [a], identity: x"),
                "expected 'any' or HOST/REPOSITORY"
            ),
            (rule("name: \"registry.example/x:1\", accept: true"), "names a tag"),
            (rule("name: debian, accept: true"), "begins with no host"),
            (rule("name: Registry.example/x, accept: true"), "is not a pattern"),
            (rule("name: registry.example//x, accept: true"), "is not a pattern"),
            (rule("name: registry.example/***, accept: true"), "is not a pattern"),
            (rule("accept: true"), "'name' is missing"),
        ])
    func mistakes(text: String, reason: String) throws {
        let error = #expect(throws: VoltError.self) { try policy(text) }
        #expect(error?.code == .refused)
        #expect(
            error?.message.hasPrefix("/etc/volt/trust.yaml:") == true
                && error?.message.contains(reason) == true,
            "\(error?.message ?? "")")
        #expect(error?.hint != nil)
    }

    private static func rule(_ fields: String) -> String {
        "version: 1\ndefault: accept\nimages:\n  - {\(fields)}\n"
    }
}
