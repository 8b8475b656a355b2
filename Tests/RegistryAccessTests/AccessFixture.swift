import Glibc
import Testing
import VoltCore
import VoltCrypto
import VoltOCI
import VoltSystem
import VoltTestKit

@testable import RegistryAccess

/// A directory with the files of a registry's access.
final class AccessFixture {
    static let now = Timestamp(milliseconds: 1_790_000_000_000)
    static let origin = "https://registry.example:5000"

    let directory: String
    let run: ToolRunner

    init() throws {
        directory = "/tmp/volt-access-\(getpid())-\(UInt64.random(in: 0...UInt64.max))"
        try Files.makeDirectory(directory)
        run = ToolRunner(scratch: directory)
    }

    deinit { try? Files.removeTree(directory) }

    func write(_ name: String, _ text: String, mode: UInt32 = 0o644) throws {
        try Files.replace("\(directory)/\(name)", with: Array(text.utf8), mode: mode)
    }

    /// Adds users with Apache's own program; the password of each is `pw-NAME`.
    func addUsers(_ names: String..., file: String = "htpasswd") throws {
        for name in names {
            let path = "\(directory)/\(file)"
            let flags = Files.exists(path) ? "-iB" : "-ciB"
            let result = try run("htpasswd", flags, "-C", "4", path, name, input: "pw-\(name)")
            try #require(result.status == 0, "\(result.stderr)")
        }
    }

    func open(_ policy: String, now: Timestamp = AccessFixture.now) throws -> AccessControl {
        try write("policy.yaml", policy)
        return try AccessControl.open(policy: "\(directory)/policy.yaml", now: now)
    }

    /// Users alice, bob, carol and eve, and a policy with tokens or without.
    func standard(_ more: String = "") throws -> AccessControl {
        try addUsers("alice", "bob", "carol", "eve")
        return try open(Self.policy + more)
    }

    static let policy = """
        version: 1
        realm: registry.example
        users: htpasswd
        groups: { ci: [bob, carol] }
        administrators: [alice]
        rules:
          - repository: "public/**"
            allow: { pull: [anonymous], push: ["group:ci"] }
          - repository: "team/*"
            allow: { pull: [authenticated], push: ["cert:builder"], delete: [bob] }

        """
    static let issue = "tokens: { issue: { key: token.key } }\n"
}

func basic(_ user: String, _ password: String? = nil) -> String {
    "Basic " + Base64.encode(Array("\(user):\(password ?? "pw-\(user)")".utf8))
}

func want(_ action: RegistryAction, _ name: String? = nil) -> AccessWant {
    AccessWant(action, name.flatMap { OCIRepositoryName(parsing: $0) })
}

func request(
    _ authorization: String? = nil, cert: String? = nil, address: String = "192.0.2.1", _ wants: AccessWant...
) -> AccessRequest {
    AccessRequest(
        authorization: authorization, clientName: cert, address: address, origin: AccessFixture.origin,
        wants: wants)
}

extension AccessDecision {
    /// In a word: the user, or the number of the answer.
    var word: String {
        switch self {
        case .allowed(let grant): "\(grant.user)"
        case .unauthorized: "401"
        case .denied: "403"
        case .limited: "429"
        }
    }

    var challenge: String? {
        if case .unauthorized(let challenge, _) = self { challenge } else { nil }
    }

    var message: String? {
        switch self {
        case .unauthorized(_, let message), .denied(let message): message
        default: nil
        }
    }

    var grant: AccessGrant? {
        if case .allowed(let grant) = self { grant } else { nil }
    }
}
