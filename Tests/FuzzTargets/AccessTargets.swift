internal import Glibc
internal import RegistryAccess
internal import VoltCore
internal import VoltCrypto
internal import VoltOCI
internal import VoltSystem

extension FuzzTarget {
    private static let moment = Timestamp(milliseconds: 1_790_000_000_000)

    /// A registry whose users have passwords that nobody has, and which issues tokens.
    private static let control: AccessControl? = {
        let place = "/tmp/volt-fuzz-access-\(getpid())"
        atexit { system("rm -rf /tmp/volt-fuzz-access-\(getpid())") }
        let policy = """
            version: 1
            users: users
            tokens: { issue: { key: token.key } }
            administrators: [root]
            rules: [{ repository: "public/**", allow: { pull: [anonymous], push: [alice, "cert:c"] } }]
            """
        do {
            try Files.makeDirectory(place, mode: 0o700)
            let hash = "$2y$04$wNM4cGVqNqs5ePyCqsJ0u." + String(repeating: ".", count: 31)
            try Files.replace("\(place)/users", with: Array("alice:\(hash)\nroot:\(hash)\n".utf8))
            try Files.replace("\(place)/policy.yaml", with: Array(policy.utf8))
            return try AccessControl.open(policy: "\(place)/policy.yaml", now: moment)
        } catch { return nil }
    }()

    /// An Authorization header: nobody gets in by what they made up.
    static let authorization = FuzzTarget(
        name: "authorization",
        words: [
            "Basic ", "Bearer ", "eyJhbGciOiJub25lIn0", ".", "=", "Og==", "YWxpY2U6", "eyJhbGciOiJFZERTQSJ9",
            " ",
            "\u{0}",
        ]
    ) { bytes throws(FuzzFailure) in
        guard let control, let repository = OCIRepositoryName(parsing: "public/a") else {
            throw FuzzFailure("the registry cannot be set up")
        }
        let request = AccessRequest(
            authorization: String(decoding: bytes, as: UTF8.self), address: "192.0.2.1",
            origin: "https://\(String(decoding: bytes.prefix(40), as: UTF8.self))",
            wants: [AccessWant(.push, repository)])
        guard let decision = control.authorizeAtOnce(request, now: moment) else { return }
        switch decision {
        case .allowed: throw FuzzFailure("a made-up header pushes")
        case .unauthorized(let challenge, let message):
            try require(
                challenge.utf8.filter { $0 == UInt8(ascii: "\"") }.count % 2 == 0
                    && challenge.utf8.allSatisfy { (32...126).contains($0) },
                "a broken challenge: \(challenge)")
            try require(!message.isEmpty, "refused without a reason")
        case .denied, .limited: break
        }
    }

    /// A JSON Web Token of two parts, header and claims, as text with a line between them: signed by another key.
    static let webToken = FuzzTarget(
        name: "web-token",
        words: [
            #"{"alg":"EdDSA"}"#, #""alg":"none""#, #""kid":""#, #""exp":"#, #""access":["#, "\n", "}", "1e9",
            "\\u0000",
            #"{"type":"repository","name":"a","actions":["*"]}"#,
        ]
    ) { bytes throws(FuzzFailure) in
        guard let control else { throw FuzzFailure("the registry cannot be set up") }
        let parts = bytes.split(separator: 10, maxSplits: 1, omittingEmptySubsequences: false)
        let text =
            parts.map { Base64URL.encode($0) }.joined(separator: ".") + "."
            + Base64URL.encode([UInt8](repeating: 7, count: 64))
        let request = AccessRequest(
            authorization: "Bearer \(text)", address: "192.0.2.1", origin: "https://registry.example")
        if case .allowed = control.authorizeAtOnce(request, now: moment) {
            throw FuzzFailure("a token that nobody signed")
        }
    }

    /// The query of a token request: nobody is given what only others may do.
    static let tokenQuery = FuzzTarget(
        name: "token-query",
        words: [
            "scope=", "service=", "&", "repository:", ":pull,push", "public/a", "*", "%3A", "%2F", "+",
            "registry:catalog:*",
            "%", "(plugin)",
        ]
    ) { bytes throws(FuzzFailure) in
        guard let control, let repository = OCIRepositoryName(parsing: "public/a") else {
            throw FuzzFailure("the registry cannot be set up")
        }
        let query = TokenRequest(query: String(decoding: bytes, as: UTF8.self), address: "192.0.2.1")
        guard case .issued(let json) = control.tokenAtOnce(query, now: moment) else { return }
        let text = json.split(separator: "\"token\":\"").last?.prefix { $0 != "\"" } ?? ""
        let request = AccessRequest(
            authorization: "Bearer \(text)", address: "192.0.2.1", origin: "https://registry.example")
        guard case .allowed(let grant) = control.authorizeAtOnce(request, now: moment) else {
            throw FuzzFailure("an issued token that is not taken")
        }
        try require(
            grant.user == .anonymous && !grant.may(.push, repository) && !grant.may(.delete, repository)
                && !grant.may(.administer), "an anonymous token that pushes")
    }

    /// A policy file.
    static let accessPolicy = FuzzTarget(
        name: "access-policy",
        words: [
            "version: 1\n", "rules:\n", "  - repository: \"**\"\n", "allow: { pull: [anonymous] }", "group:",
            "cert:",
            "groups: {", "tokens: { issue: { key: k } }\n", "limits:", "administrators: [", "authenticated",
            "readOnly: true\n",
        ]
    ) { bytes throws(FuzzFailure) in
        let policy: AccessPolicy
        do throws(VoltError) { policy = try AccessPolicy.read(bytes, path: "fuzz.yaml") } catch {
            try require(error.code == .usage && !error.message.isEmpty, "another kind of error: \(error)")
            return
        }
        try require(!policy.allows(.anonymous, AccessWant(.administer)), "anybody administers")
        guard let repository = OCIRepositoryName(parsing: "team/web") else { return }
        for user in [AccessUser.anonymous, .named("alice"), .certificate("c")] {
            let push = policy.allows(user, AccessWant(.push, repository))
            try require(!push || policy.allows(user, AccessWant(.pull, repository)), "push without pull")
            try require(!push || !policy.isReadOnly, "a push to what is read-only")
        }
    }
}
