import Glibc
import Testing
import VoltCore
import VoltCrypto
import VoltSystem
import VoltTestKit

@Suite(.serialized, .timeLimit(.minutes(2))) struct SecurityTests {
    @Test("what is deployed is the tip of the branch, whatever commit a delivery names")
    func tip() throws {
        let host = try Host()
        try host.createSite()
        let old = try host.git("rev-parse", "HEAD")
        let tip = try host.commit("two")
        let server = try Serve(host)
        for (number, commit) in [old, String(repeating: "1", count: 40), "main", "-x"].enumerated() {
            let body = host.push(commit: commit)
            let headers = host.headers(delivery: "d\(number)", body: body)
            #expect(try server.request("POST", "/hooks/github", headers: headers, body: body).status == 202)
        }
        try host.wait("for the deploy") {
            let logs = try host.gitops("logs", "--name", "site", "--limit", "50").stdout
            return logs.contains("success") && !logs.contains("queued") && !logs.contains("deploying")
        }
        #expect(Set(host.applied.filter { $0.hasPrefix("done") }) == ["done \(tip)"])
        #expect(!host.applied.contains("prepare \(old)"))
    }

    @Test("a URL of a payload is compared and never asked")
    func payloadURL() throws {
        let host = try Host()
        try host.createSite()
        let server = try Serve(host)
        // A port that somebody listens on and nobody may call.
        let listener = socket(AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_NONBLOCK.rawValue), 0)
        defer { close(listener) }
        try #require(listen(listener, 8) == 0)
        var address = sockaddr_in()
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        _ = withUnsafeMutablePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { getsockname(listener, $0, &length) }
        }
        let trap = "http://127.0.0.1:\(address.sin_port.bigEndian)/repository"
        let commit = try host.git("rev-parse", "HEAD")
        // Alone it is no pipeline's; beside the right one the pipeline's own URL is fetched.
        for (fields, status) in [
            (#""clone_url":"\#(trap)""#, 200),
            (#""clone_url":"\#(trap)","ssh_url":"\#(trap)","html_url":"\#(host.repository)""#, 202),
        ] {
            let body = Array(
                #"{"ref":"refs/heads/main","after":"\#(commit)","repository":{\#(fields)}}"#.utf8)
            let headers = host.headers(delivery: "d\(status)", body: body)
            #expect(
                try server.request("POST", "/hooks/github", headers: headers, body: body).status == status)
        }
        try host.wait("for the deploy") { host.applied.contains("done \(commit)") }
        #expect(accept(listener, nil, nil) < 0 && errno == EAGAIN)
    }

    @Test("a manifest that is a link is not followed, nor a directory that is one", arguments: [false, true])
    func linkedManifest(isDirectory: Bool) throws {
        let host = try Host()
        let outside = "\(host.directory)/outside"
        try Files.makeDirectory(outside)
        try Files.replace(
            "\(outside)/volt-manifest.yaml", with: "apiVersion: volt/v1\nkind: probe\nspec: {}\n".utf8)
        let link = isDirectory ? "conf" : "volt-manifest.yaml"
        let target = isDirectory ? outside : "\(outside)/volt-manifest.yaml"
        if isDirectory { try host.createSite("--path", "conf") } else { try host.createSite() }
        try Files.remove("\(host.directory)/repository/volt-manifest.yaml")
        try #require(symlink(target, "\(host.directory)/repository/\(link)") == 0)
        try host.git("add", "-A", ".")
        try host.git("commit", "-q", "-m", "link")
        let result = try host.gitops("sync", "--name", "site")
        #expect(result.status == 1)
        #expect(host.applied.isEmpty)
    }

    @Test("the secret of a hook is in no process, no log and no answer")
    func secretElsewhere() throws {
        let host = try Host()
        let secret = Hex.encode(SecureRandom.bytes(24))
        try Files.replace("\(host.directory)/secret", with: secret.utf8, mode: 0o600)
        try host.createSite()
        let server = try Serve(host)
        try host.close(gate: "check")
        let commit = try host.git("rev-parse", "HEAD")
        let body = host.push(commit: commit)
        let headers = host.headers(delivery: "d", body: body, secret: Array(secret.utf8))
        let answer = try server.request("POST", "/hooks/github", headers: headers, body: body)
        #expect(answer.status == 202)
        // The server, and below it volt-probe with its shell.
        try host.wait("for the check") { host.applied.contains("check \(commit)") }
        var seen = 0
        for pid in try Files.list("/proc") where pid.allSatisfy(\.isNumber) {
            for name in ["cmdline", "environ"] {
                guard let bytes = try? Files.read("/proc/\(pid)/\(name)") else { continue }
                seen += 1
                #expect(!String(decoding: bytes, as: UTF8.self).contains(secret), "/proc/\(pid)/\(name)")
            }
        }
        #expect(seen > 4)
        try host.open(gate: "check")
        try host.wait("for the deploy") { host.applied.contains("done \(commit)") }
        for text in [
            server.text, answer.text, try host.gitops("logs", "--name", "site", "-o", "json").stdout,
            try host.gitops("status", "-o", "json").stdout, try host.gitops("list", "-o", "json").stdout,
        ] { #expect(!text.contains(secret)) }
    }

    @Test("a form that announces more than it may have, or drips, leaves other deliveries alone")
    func slowSender() throws {
        let host = try Host()
        try host.createSite()
        let server = try Serve(host)
        let huge = try HTTPClient(port: server.port)
        try huge.send(
            Array(
                "POST /hooks/github HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: 26214401\r\n\r\n"
                    .utf8))
        #expect(try huge.receive().status == 413)
        // Half a body each on connections that stay open.
        var slow: [HTTPClient] = []
        for _ in 0..<50 {
            let client = try HTTPClient(port: server.port)
            try client.send(
                Array(
                    "POST /hooks/github HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: 9\r\n\r\n{"
                        .utf8))
            slow.append(client)
        }
        let body = host.push(commit: try host.git("rev-parse", "HEAD"))
        let headers = host.headers(delivery: "d", body: body)
        #expect(try server.request("POST", "/hooks/github", headers: headers, body: body).status == 202)
        #expect(slow.count == 50)
    }

    @Test("mirrors and snapshots lie in a directory that is the user's alone")
    func modes() throws {
        let host = try Host()
        try host.createSite()
        #expect(try host.gitops("sync", "--name", "site").status == 0)
        let state = "\(host.directory)/root/lib/gitops"
        #expect(Files.isDirectory("\(state)/mirrors") && Files.isDirectory("\(state)/snapshots"))
        let owner = try host.tool.run(["stat", "-c", "%a %u", state])
        #expect(owner.stdout == "700 \(getuid())\n")
    }
}
