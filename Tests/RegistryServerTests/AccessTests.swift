import Glibc
import RegistryAccess
import RegistryEngine
import Testing
import VoltCrypto
import VoltOCI
import VoltSystem
import VoltTestKit

/// What `RegistryAccess` decides has tests of its own; these are about the server that asks it.
@Suite(
    .timeLimit(.minutes(3)),
    .enabled(if: Files.exists("/usr/bin/htpasswd"), "needs the package apache2-utils"))
struct AccessTests {
    private static let policy = """
        version: 1
        users: htpasswd
        administrators: [alice]
        rules:
          - repository: "public/**"
            allow: { pull: [anonymous], push: [bob] }
          - repository: "secret/**"
            allow: { push: ["cert:builder"] }
        """

    private func basic(_ user: String, _ password: String? = nil) -> (String, String) {
        ("Authorization", "Basic \(Base64.encode(Array("\(user):\(password ?? user)".utf8)))")
    }

    @Test("who may not do something is asked to log in, or told that it would not help")
    func basics() throws {
        let subject = try Subject(policy: Self.policy)
        let blob = Array("layer".utf8)
        let digest = OCIDigest.of(blob)
        let push = "/blobs/uploads/?digest=\(digest)"
        let anonymous = try subject.request("POST", "/v2/public/web\(push)", body: blob)
        #expect(anonymous.status == 401 && anonymous.code == "UNAUTHORIZED")
        #expect(anonymous.headers["www-authenticate"]?.hasPrefix("Basic realm=") == true)
        #expect(
            try subject.request("POST", "/v2/public/web\(push)", headers: [basic("bob", "wrong")], body: blob)
                .status == 401)
        #expect(
            try subject.request("POST", "/v2/public/web\(push)", headers: [basic("bob")], body: blob).status
                == 201)
        #expect(try subject.request("GET", "/v2/public/web/blobs/\(digest)").body == blob)
        let denied = try subject.request(
            "DELETE", "/v2/public/web/blobs/\(digest)", headers: [basic("bob")])
        #expect(denied.status == 403 && denied.code == "DENIED")
        #expect(
            try subject.request("POST", "/v2/secret/x\(push)", headers: [basic("bob")], body: blob).status
                == 403)
        #expect(
            try subject.request("POST", "/v2/secret/x\(push)", headers: [basic("alice")], body: blob).status
                == 201)
        let twice = try subject.request("GET", "/v2/", headers: [basic("bob"), basic("alice")])
        #expect(twice.status == 400)
    }

    @Test("a large push whose password has to be hashed first loses nothing of its body")
    func hashedFirst() throws {
        let subject = try Subject(policy: Self.policy)
        let blob = (0..<3_000_000).map { UInt8(truncatingIfNeeded: $0 &* 7 >> 3) }
        let answer = try subject.request(
            "POST", "/v2/public/big/blobs/uploads/?digest=\(OCIDigest.of(blob))", headers: [basic("bob")],
            body: blob)
        #expect(answer.status == 201, "\(answer.text)")
    }

    @Test("lists, pages and mounts show what the caller may pull, and numbers are for administrators")
    func lists() throws {
        let subject = try Subject(policy: Self.policy) { $0.hasPages = true }
        let blob = Array("{}".utf8)
        for name in ["public/web", "secret/x"] {
            let push = "/v2/\(name)/blobs/uploads/?digest=\(OCIDigest.of(blob))"
            try #require(
                try subject.request("POST", push, headers: [basic("alice")], body: blob).status == 201)
            let manifest = Array(
                "{\"schemaVersion\":2,\"config\":\(subject.descriptor(OCIMediaType.empty, blob)),\"layers\":[]}"
                    .utf8)
            try #require(
                try subject.request(
                    "PUT", "/v2/\(name)/manifests/1",
                    headers: [basic("alice"), ("Content-Type", OCIMediaType.manifest)], body: manifest
                ).status == 201)
        }
        func catalog(_ headers: [(String, String)]) throws -> String {
            try subject.request("GET", "/v2/_catalog", headers: headers).text
        }
        let asked = try subject.request("GET", "/v2/_catalog")
        #expect(asked.status == 401 && asked.headers["www-authenticate"]?.hasPrefix("Basic ") == true)
        // curl logs in as others do: when it is asked to.
        let curl = try ToolRunner(scratch: subject.scratch.path).run([
            "curl", "-sS", "--anyauth", "--user", "alice:alice",
            "http://127.0.0.1:\(subject.server.port)/v2/_catalog",
        ])
        #expect(curl.stdout == "{\"repositories\":[\"public/web\",\"secret/x\"]}", "\(curl.stderr)")
        #expect(try subject.request("GET", "/").text.contains("public/web"))
        #expect(try catalog([basic("bob")]) == "{\"repositories\":[\"public/web\"]}")
        #expect(try catalog([basic("alice")]) == "{\"repositories\":[\"public/web\",\"secret/x\"]}")
        #expect(try !subject.request("GET", "/", headers: [basic("bob")]).text.contains("secret"))
        #expect(try subject.request("GET", "/", headers: [basic("alice")]).text.contains("secret/x"))
        #expect(try subject.request("GET", "/repositories/secret/x", headers: [basic("bob")]).status == 404)
        // A mount shows nothing of a repository that its caller may not pull from.
        let mount = "/v2/public/web/blobs/uploads/?mount=\(OCIDigest.of(blob))&from="
        #expect(try subject.request("POST", "\(mount)secret/x", headers: [basic("bob")]).status == 202)
        #expect(try subject.request("POST", "\(mount)public/web", headers: [basic("bob")]).status == 201)
        #expect(try subject.request("GET", "/metrics").status == 401)
        #expect(try subject.request("GET", "/metrics", headers: [basic("bob")]).status == 403)
        #expect(try subject.request("GET", "/metrics", headers: [basic("alice")]).status == 200)
    }

    @Test("with tokens a client gets one for what it does, and uses it")
    func tokens() throws {
        let subject = try Subject(
            policy: Self.policy + "\ntokens:\n  issue: { key: token.key, lifetime: 5m }\n")
        let asked = try subject.request("GET", "/v2/public/web/tags/list")
        // Anonymous pulls need no token.
        #expect(asked.status == 404)
        let push = try subject.request("POST", "/v2/public/web/blobs/uploads/")
        let challenge = push.headers["www-authenticate"] ?? ""
        #expect(push.status == 401 && challenge.contains("scope=\"repository:public/web:pull,push\""))
        #expect(challenge.contains("realm=\"http://127.0.0.1:\(subject.server.port)/token\""))
        let service = challenge.split(separator: "service=\"").last?.prefix { $0 != "\"" } ?? ""
        let query =
            "/token?service=\(service.replacing(" ", with: "%20"))&scope=repository:public/web:pull,push"
        let answer = try subject.request("GET", query, headers: [basic("bob")])
        #expect(answer.status == 200 && answer.headers["cache-control"] == "no-store", "\(answer.text)")
        let token = answer.text.split(separator: "\"token\":\"").last?.prefix { $0 != "\"" } ?? ""
        let bearer = ("Authorization", "Bearer \(token)")
        #expect(try subject.request("POST", "/v2/public/web/blobs/uploads/", headers: [bearer]).status == 202)
        #expect(
            try subject.request("POST", "/v2/public/other/blobs/uploads/", headers: [bearer]).status == 401)
        #expect(try subject.request("POST", "/token").status == 405)
        #expect(try subject.request("GET", query, headers: [basic("bob", "wrong")]).status == 401)
    }

    @Test(
        "skopeo logs in, pushes and pulls with a password and with tokens", arguments: [false, true])
    func skopeo(hasTokens: Bool) throws {
        let subject = try Subject(
            policy: Self.policy + (hasTokens ? "\ntokens:\n  issue: { key: token.key }\n" : ""))
        let run = ToolRunner(scratch: subject.scratch.path)
        for words in [["umoci", "init", "--layout", "img"], ["umoci", "new", "--image", "img:a"]] {
            try #require(try run.run(words).status == 0)
        }
        let place = "docker://127.0.0.1:\(subject.server.port)/public/web:1"
        let copy = ["skopeo", "copy", "--insecure-policy", "--dest-tls-verify=false", "oci:img:a", place]
        #expect(try run.run(copy + ["--dest-creds", "bob:wrong"]).status != 0)
        #expect(try run.run(copy + ["--dest-no-creds"]).status != 0)
        let pushed = try run.run(copy + ["--dest-creds", "bob:bob"])
        #expect(pushed.status == 0, "\(pushed.stderr)")
        let pulled = try run.run(["skopeo", "inspect", "--tls-verify=false", "--no-creds", place])
        #expect(pulled.status == 0, "\(pulled.stderr)")
        #expect(
            try run.run(["skopeo", "delete", "--tls-verify=false", "--creds", "bob:bob", place]).status != 0)
        #expect(
            try run.run(["skopeo", "delete", "--tls-verify=false", "--creds", "alice:alice", place]).status
                == 0)
    }

    @Test(
        "a client certificate is a user of the policy, one of another authority is none, and the log names them"
    )
    func certificates() throws {
        let scratch = try ScratchDirectory()
        let run = ToolRunner(scratch: scratch.path)
        func ok(_ words: String...) throws {
            let result = try run.run(words)
            try #require(result.status == 0, "\(words): \(result.stderr)")
        }
        for name in ["ca", "other"] {
            try ok(
                "openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                "-days",
                "1", "-subj", "/CN=\(name)", "-keyout", "\(name).key", "-out", "\(name).pem")
        }
        for (name, authority) in [("localhost", "ca"), ("builder", "ca"), ("stranger", "other")] {
            try ok(
                "openssl", "req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj",
                "/CN=\(name == "stranger" ? "builder" : name)", "-addext", "subjectAltName=DNS:localhost",
                "-keyout",
                "\(name).key", "-out", "\(name).csr")
            try ok(
                "openssl", "x509", "-req", "-in", "\(name).csr", "-CA", "\(authority).pem", "-CAkey",
                "\(authority).key", "-CAcreateserial", "-days", "1", "-copy_extensions", "copy", "-out",
                "\(name).pem")
            try Files.setMode("\(scratch.path)/\(name).key", 0o600)
        }
        try ok("htpasswd", "-cbB", "htpasswd", "alice", "alice")
        try Files.replace("\(scratch.path)/policy.yaml", with: Self.policy.utf8)
        let server = try ServerProcess(
            run, store: "\(scratch.path)/store",
            [
                "--tls-cert", "\(scratch.path)/localhost.pem", "--tls-key", "\(scratch.path)/localhost.key",
                "--client-ca", "\(scratch.path)/ca.pem", "--policy", "\(scratch.path)/policy.yaml",
                "--access-log", "\(scratch.path)/log",
            ])
        func push(_ name: String?) throws -> String {
            let certificate = name.map { ["--cert", "\($0).pem", "--key", "\($0).key"] } ?? []
            return try run.run(
                ["curl", "-sS", "--cacert", "ca.pem", "-o", "out", "-w", "%{http_code}", "-X", "POST"]
                    + certificate + ["https://localhost:\(server.port)/v2/secret/x/blobs/uploads/"]
            ).stdout
        }
        #expect(try push("builder") == "202")
        #expect(try push(nil) == "401")
        #expect(try push("stranger") == "000")
        #expect(
            String(decoding: try Files.read("\(scratch.path)/log"), as: UTF8.self)
                .contains(" - cert:builder [") == true)
        // A mistake leaves the policy in force.
        try Files.replace("\(scratch.path)/policy.yaml", with: "version: 1\nrulez: []\n".utf8)
        server.signal(SIGHUP)
        for _ in 0..<1000 where !server.said.contains("the policy in force stays") { usleep(5000) }
        #expect(server.said.contains("policy.yaml:2:1"), "\(server.said)")
        #expect(try push("builder") == "202")
        try Files.replace("\(scratch.path)/policy.yaml", with: "version: 1\nrules: []\n".utf8)
        server.signal(SIGHUP)
        for _ in 0..<1000 where !server.said.contains("read the policy again") { usleep(5000) }
        #expect(try push("builder") == "403")
    }
}
