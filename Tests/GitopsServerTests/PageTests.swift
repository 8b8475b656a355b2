import Glibc
import Testing
import VoltCore
import VoltCrypto
import VoltSystem
import VoltTestKit

@Suite(.serialized, .timeLimit(.minutes(3))) struct PageTests {
    /// What an author can put where a page shows it: the note, the log and a branch name.
    private static let hostile = #"<script>document.title='owned'</script><img src=x onerror=alert(1)>"'&"#

    private func wait(_ host: Host, for words: String) throws {
        try host.wait("for '\(words)'") { try host.gitops("logs", "--name", "site").stdout.contains(words) }
    }

    /// A server with a success and a failure whose manifest is hostile.
    private func history(_ host: Host, _ more: [String]) throws -> Serve {
        try host.createSite()
        let server = try Serve(host, with: more)
        #expect(try host.gitops("sync", "--name", "site").status == 0)
        try host.commit(
            "bad", files: ["volt-manifest.yaml": "apiVersion: volt/v1\nkind: probe\n\(Self.hostile): 1\n"])
        #expect(try host.gitops("sync", "--name", "site").status == 1)
        try wait(host, for: "script")
        return server
    }

    @Test("the pages show pipelines, attempts, steps and logs, and hostile notes as text")
    func pages() throws {
        let host = try Host()
        let server = try history(host, ["--ui"])
        let front = try server.request("GET", "/")
        #expect(front.status == 200 && front.headers["content-type"] == "text/html; charset=utf-8")
        let policy = front.headers["content-security-policy"] ?? ""
        #expect(policy.hasPrefix("default-src 'none'; style-src 'sha256-") && !policy.contains("unsafe"))
        #expect(front.headers["x-content-type-options"] == "nosniff")
        #expect(front.headers["x-frame-options"] == "DENY")
        #expect(front.text.contains(#"<a href="/pipelines/site">site</a>"#))
        #expect(front.text.contains(#"<span class="bad">failed</span>"#))
        let list = try server.request("GET", "/pipelines/site").text
        #expect(
            list.contains(#"<a href="/attempts/2">2</a>"#)
                && list.contains(#"<span class="good">success</span>"#))
        let attempt = try server.request("GET", "/attempts/2").text
        #expect(attempt.contains("&lt;script&gt;document.title=&#39;owned&#39;&lt;/script&gt;"))
        let good = try server.request("GET", "/attempts/1").text
        for step in ["fetching", "building", "starting", "checking", "switching"] {
            #expect(good.contains("<td>\(step)</td>"))
        }
        for page in [front.text, list, attempt, good] {
            #expect(!page.contains("<script") && !page.contains("<img") && !page.contains("javascript:"))
            #expect(!page.contains("http://") && !page.contains("https://"), "nothing of another place")
            #expect(page.hasSuffix("</main></body></html>\n"))
        }
        // The digest is that of the style in the page.
        let style = try #require(front.text.firstMatch(of: /(?s)<style>(.*)<\/style>/)).1
        let hasher = SHA256Hasher()
        hasher.update(String(style))
        #expect(policy.contains(Base64.encode(hasher.finishBytes())))
    }

    @Test(
        "what is no page is 404, pages are read only, and without --ui there is none",
        arguments: [true, false])
    func absent(ui: Bool) throws {
        let host = try Host()
        try host.createSite()
        let server = try Serve(host, with: ui ? ["--ui"] : [])
        let paths = [
            "/attempts/1", "/attempts/01", "/attempts/-1", "/attempts/x", "/attempts/", "/attempts/1/2",
            "/attempts/99999999999999999999", "/pipelines/none", "/pipelines/..", "/pipelines/%2e%2e",
            "/pipelines",
            "/etc/passwd", "//",
        ]
        for path in paths { #expect(try server.request("GET", path).status == 404, "\(path)") }
        #expect(try server.request("GET", "/").status == (ui ? 200 : 404))
        #expect(try server.request("GET", "/pipelines/site").status == (ui ? 200 : 404))
        #expect(try server.request("POST", "/").status == (ui ? 405 : 404))
        #expect(try server.request("DELETE", "/pipelines/site").status == (ui ? 405 : 404))
        #expect(try server.request("HEAD", "/").status == (ui ? 200 : 404))
    }

    @Test("with a password nothing is shown without it, and the hooks and /healthz go on")
    func password() throws {
        let host = try Host()
        try host.createSite()
        try Files.replace("\(host.directory)/password", with: "open sesame\n".utf8, mode: 0o600)
        let server = try Serve(host, with: ["--ui", "--ui-password-file", "\(host.directory)/password"])
        func status(_ path: String, _ text: String?) throws -> Int {
            let headers = text.map { [("Authorization", "Basic \(Base64.encode(Array($0.utf8)))")] } ?? []
            return try server.request("GET", path, headers: headers).status
        }
        for path in ["/", "/metrics", "/pipelines/site", "/attempts/1"] {
            for wrong in [nil, "", "volt:", "volt:open sesam", "root:open sesame"] {
                #expect(try status(path, wrong) == 401)
            }
        }
        #expect(try status("/", "volt:open sesame") == 200)
        #expect(try status("/metrics", "volt:open sesame") == 200)
        #expect(try status("/healthz", nil) == 200)
        let body = host.push(commit: try host.git("rev-parse", "HEAD"))
        let headers = host.headers(delivery: "d", body: body)
        #expect(try server.request("POST", "/hooks/github", headers: headers, body: body).status == 202)
        #expect(!server.text.contains("sesame"))
    }

    @Test("the metrics count deliveries, attempts and durations, and the totals survive a kill")
    func metrics() throws {
        let host = try Host()
        try host.createSite()
        let first = try Serve(host)
        let commit = try host.commit("two")
        let body = host.push(commit: commit)
        let headers = host.headers(delivery: "d1", body: body)
        #expect(try first.request("POST", "/hooks/github", headers: headers, body: body).status == 202)
        let bare = [("Content-Type", "application/json"), ("X-GitHub-Event", "push")]
        #expect(try first.request("POST", "/hooks/github", headers: bare, body: body).status == 403)
        func number(_ server: Serve, _ sample: String) throws -> Int? {
            try server.request("GET", "/metrics").text.split(separator: "\n")
                .first { $0.hasPrefix("\(sample) ") }.flatMap { Int($0.dropFirst(sample.count + 1)) }
        }
        let success = #"volt_gitops_attempts_total{pipeline="site",state="success"}"#
        try host.wait("for the success") { try (number(first, success) ?? 0) > 0 }
        #expect(try number(first, #"volt_gitops_deliveries_total{provider="github",status="202"}"#) == 1)
        #expect(try number(first, #"volt_gitops_deliveries_total{provider="github",status="403"}"#) == 1)
        #expect(try number(first, #"volt_gitops_queue_depth{pipeline="site"}"#) == 0)
        let count = try #require(try number(first, success))
        first.end(SIGKILL)
        let second = try Serve(host)
        #expect(try number(second, success) == count)
        #expect(try number(second, "volt_gitops_attempt_duration_seconds_count") == count)
        #expect(try number(second, #"volt_gitops_attempt_duration_seconds_bucket{le="+Inf"}"#) == count)
        let time = try #require(
            try number(second, #"volt_gitops_last_success_timestamp_seconds{pipeline="site"}"#))
        #expect(abs(Int(SystemClock().now().milliseconds / 1000) - time) < 120)
        // Each line is a remark or a sample (Prometheus, exposition formats 0.0.4).
        let answer = try second.request("GET", "/metrics")
        #expect(answer.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8")
        for line in answer.text.split(separator: "\n") {
            let isRemark = line.wholeMatch(of: /# (HELP|TYPE) [a-z_]+ .+/) != nil
            let isSample =
                line.wholeMatch(of: /[a-z_]+(\{[a-z]+="[^"\\]*"(,[a-z]+="[^"\\]*")*\})? [0-9.]+/) != nil
            #expect(isRemark || isSample, "\(line)")
        }
    }

    @Test("page, status, show and metrics say the same state of a pipeline, and why")
    func sameState() throws {
        let host = try Host()
        try host.createSite("--attempts", "1", "--drift-interval", "1s")
        let server = try Serve(host, with: ["--ui"])
        func expect(_ state: String, _ kind: String, why: String) throws {
            func status() throws -> ToolRunner.Result { try host.gitops("status") }
            try host.wait("for \(state)") { try status().stdout.contains("  \(state)\n") }
            #expect(try status().stderr.contains(why), "\(state)")
            let front = try server.request("GET", "/").text
            #expect(front.contains(#"<span class="\#(kind)">\#(state)</span>"#), "\(front)")
            #expect(front.contains(why) && !front.contains(#"class="good">success"#), "\(front)")
            #expect(try server.request("GET", "/pipelines/site").text.contains(why))
            #expect(try host.gitops("show", "1").stdout.contains("pipeline  'site' is \(state)"))
            // The page is made at most once a second.
            try host.wait("for the metrics") {
                try server.request("GET", "/metrics").text.contains(
                    #"volt_gitops_pipeline_state{pipeline="site",state="\#(state)"} 1"#)
            }
            let lines = try server.request("GET", "/metrics").text.split(separator: "\n")
                .filter { $0.hasPrefix("volt_gitops_pipeline_state{") }
            #expect(lines.filter { $0.hasSuffix(" 1") }.count == 1 && lines.count > 10)
        }
        #expect(try host.gitops("sync", "--name", "site").status == 0)
        try Files.replace(
            "\(host.directory)/status",
            with: #"{"workload":"web","state":"absent","health":"none","restarts":0}"#.utf8)
        try expect("drifted", "bad", why: "the workload is gone")
        #expect(try host.gitops("suspend", "--name", "site", "--reason", "a move").status == 0)
        try expect("suspended", "busy", why: ": a move")
        #expect(try host.gitops("resume", "--name", "site").status == 0)
        try Files.remove("\(host.directory)/status")
        try host.commit("bad", files: ["broken": ""])
        #expect(try host.gitops("sync", "--name", "site").status == 1)
        try expect("held", "bad", why: "is held: it failed once")
        let attempt = try server.request("GET", "/attempts/2").text
        #expect(attempt.contains("<dt>Why</dt><dd>failed while checking: the health check failed"))
    }

    @Test("a log in JSON has an object a line with its level, its pipeline and its attempt")
    func jsonLog() throws {
        let host = try Host()
        try host.createSite()
        let server = try Serve(host, with: ["--log-format", "json"])
        let commit = try host.commit("two")
        let body = host.push(commit: commit)
        let headers = host.headers(delivery: "d1", body: body)
        #expect(try server.request("POST", "/hooks/github", headers: headers, body: body).status == 202)
        try wait(host, for: "success")
        try host.wait("for the log") { server.text.contains("\"message\":\"success: ") }
        #expect(server.end(SIGTERM) == 0)
        let lines = server.text.split(separator: "\n")
        for line in lines {
            let pattern =
                /\{("attempt":[0-9]+,)?"level":"(info|warning|error)","message":".+"(,"pipeline":"site")?,"time":"[-0-9T:.]+Z"\}/
            #expect(line.wholeMatch(of: pattern) != nil, "\(line)")
        }
        #expect(
            lines.contains {
                $0.hasPrefix(#"{"attempt":1,"level":"info","message":"starts: "#)
                    && $0.contains(#""pipeline":"site""#)
            })
        #expect(lines.contains { $0.contains("stopping; ") && !$0.contains("pipeline\"") })
    }

    private static let chromium: String? = ["/usr/bin/chromium", "/usr/bin/chromium-browser"].first(where: {
        (path: String) in access(path, X_OK) == 0
    })

    @Test(
        "a browser shows a page with a hostile note, runs nothing of it and loads nothing",
        .enabled(if: PageTests.chromium != nil, "needs the package chromium"))
    func browser() throws {
        let host = try Host()
        let server = try history(host, ["--ui"])
        let chromium = try #require(Self.chromium)
        func open(_ path: String, _ more: String...) throws -> ToolRunner.Result {
            try host.tool.run(
                [
                    "timeout", "60", chromium, "--headless=new", "--no-sandbox", "--disable-gpu",
                    "--no-first-run",
                    "--disable-dev-shm-usage", "--disable-background-networking",
                    "--disable-component-update",
                    "--user-data-dir=\(host.directory)/profile", "--virtual-time-budget=2000",
                    "--enable-logging=stderr",
                ] + more + ["http://127.0.0.1:\(server.port)\(path)"])
        }
        for (path, words) in [
            ("/", "<span class=\"bad\">failed</span>"), ("/pipelines/site", "&lt;script&gt;"),
            ("/attempts/2", "&lt;script&gt;"), ("/attempts/1", "<td>switching</td>"),
        ] {
            let page = try open(path, "--dump-dom")
            #expect(page.status == 0, "\(page.stderr.suffix(500))")
            #expect(page.stdout.contains(words), "\(path): \(page.stdout.prefix(1500))")
            // A title that a script had set would be in the tree, and so would an element it had made.
            #expect(!page.stdout.contains("<title>owned") && !page.stdout.contains("<img"))
            #expect(
                !page.stderr.contains("Content Security Policy"),
                "the page breaks its own policy: \(page.stderr)")
        }
        let picture = try open(
            "/attempts/2", "--screenshot=\(host.directory)/page.png", "--window-size=900,700")
        #expect(picture.status == 0)
        #expect(try Files.read("\(host.directory)/page.png").starts(with: [0x89, 0x50, 0x4E, 0x47]))
    }
}
