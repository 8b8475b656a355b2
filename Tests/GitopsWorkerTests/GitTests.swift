import Dispatch
import GitopsSource
import Glibc
import Testing
import VoltSystem
import VoltTestKit

@Suite struct GitTests {
    private func serve(_ bench: Bench) throws -> GitHTTPServer {
        let server = try GitHTTPServer(directory: bench.path)
        DispatchQueue(label: "git-http").async { server.serve() }
        return server
    }

    @Test("a snapshot has the files, modes and links of the commit and nothing else")
    func snapshot() throws {
        let bench = try Bench()
        try bench.shell(
            """
            cd work; mkdir -p a/b; printf hello > index.html; printf '#!/bin/sh\\n' > a/b/run; chmod 755 a/b/run
            ln -s /etc/passwd volt-manifest.yaml; printf x > 'a/sp ace é'; printf '* filter=lfs ident\\n' > .gitattributes
            """)
        let commit = try bench.push("First: <subject>")
        let answer = try bench.snapshot(bench.fileAccess(), "one")
        #expect(answer.status == 0, "\(answer.failure)")
        #expect(
            answer.events.last
                == .snapshot(
                    commit: commit, subject: "First: <subject>", author: "Ann Author", files: 5, bytes: 35))
        #expect(try bench.read("one/index.html") == "hello")
        #expect(
            try bench.shell("cd snapshots/one && find . -mindepth 1 -printf '%M %p %l\\n' | sort -k2") == """
                -rw-r--r-- ./.gitattributes 
                drwxr-xr-x ./a 
                drwxr-xr-x ./a/b 
                -rwxr-xr-x ./a/b/run 
                -rw-r--r-- ./a/sp ace é 
                -rw-r--r-- ./index.html 
                lrwxrwxrwx ./volt-manifest.yaml /etc/passwd
                """)
        #expect(try bench.leftovers == [])
    }

    @Test("a path of this host needs the opt-in")
    func fileOptIn() throws {
        let bench = try Bench()
        try bench.push()
        for url in ["file://\(bench.repository)", bench.repository] {
            let answer = try bench.tip(bench.access(url))
            #expect(answer.status == 5)
            #expect(answer.failure.contains("allow it with --allow-file"))
        }
    }

    @Test("over HTTP: the tip, a first fetch, a later one, a force push, an older commit")
    func http() throws {
        let bench = try Bench()
        let first = try bench.push("first")
        let server = try serve(bench)
        defer { server.stop() }
        let access = bench.access("http://127.0.0.1:\(server.port)/site.git")
        #expect(try bench.tip(access).tip == first)
        #expect(try bench.snapshot(access, "1").commit == first)
        try bench.shell("printf second > work/page")
        let second = try bench.push("second")
        #expect(try bench.snapshot(access, "2").commit == second)
        #expect(try bench.read("2/page") == "second")
        try bench.shell("cd work && git reset -q --hard HEAD~1 && printf third > page")
        let third = try bench.push("third")
        #expect(try bench.snapshot(access, "3").commit == third)
        #expect(try bench.read("3/page") == "third")
        #expect(try bench.snapshot(access, "again", commit: second).commit == second)
        let absent = try bench.snapshot(access, "none", commit: String(repeating: "1", count: 40))
        #expect(absent.status == 3)
        #expect(absent.failure.contains("is not on branch 'main'"))
    }

    @Test("what is not there is said: repository, branch, first push, host")
    func absent() throws {
        let bench = try Bench()
        let server = try serve(bench)
        defer { server.stop() }
        let base = "http://127.0.0.1:\(server.port)"
        let empty = try bench.tip(bench.access("\(base)/site.git"))
        #expect(empty.status == 3 && empty.failure.contains("has no branch yet"), "\(empty.failure)")
        try bench.push()
        try bench.shell("git -C site.git branch other main")
        let branch = try bench.snapshot(bench.access("\(base)/site.git", branch: "mian"), "1")
        #expect(
            branch.status == 3 && branch.failure.contains("has no branch 'mian'; did you mean 'main'?"),
            "\(branch.failure)")
        try bench.shell("git -C site.git update-ref -d refs/heads/main")
        let deleted = try bench.snapshot(bench.access("\(base)/site.git"), "1")
        #expect(deleted.status == 3 && deleted.failure.contains("has no branch 'main'"), "\(deleted.failure)")
        let repository = try bench.tip(bench.access("\(base)/gone.git"))
        #expect(
            repository.status == 3 && repository.failure.contains("gone.git' not found"),
            "\(repository.failure)")
        let file = try bench.tip(
            {
                var access = bench.access("file:///nowhere/x.git"); access.allowsFile = true; return access
            }())
        #expect(file.status == 3 && file.failure.contains("x.git' not found"), "\(file.failure)")
        let name = try bench.tip(bench.access("https://host.invalid/site.git"))
        #expect(name.status == 1 && name.failure.contains("cannot be resolved"), "\(name.failure)")
        let port = try bench.tip(bench.access("http://127.0.0.1:\(LoopbackPort.free())/site.git"))
        #expect(port.status == 1 && port.failure.contains("does not answer on that port"), "\(port.failure)")
        #expect(!Files.exists("\(bench.path)/snapshots/1"))
    }

    @Test("a token goes to the host of the URL, and never along a redirect")
    func token() throws {
        let bench = try Bench()
        let commit = try bench.push()
        let server = try serve(bench)
        defer { server.stop() }
        let real = server.port
        try Files.replace("\(bench.path)/token", with: "s3cret\n".utf8)
        let challenge =
            "HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Basic realm=\"x\"\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
        // "me:s3cret" in base 64.
        let gate = try Gate {
            $0.contains("Authorization: Basic bWU6czNjcmV0") ? .forward(real) : .text(challenge)
        }
        var access = bench.access("http://127.0.0.1:\(gate.port)/site.git")
        let without = try bench.tip(access)
        #expect(without.status == 5 && without.failure.contains("wants a credential"), "\(without.failure)")
        access.username = "me"
        access.tokenFile = "\(bench.path)/token"
        let with = try bench.snapshot(access, "1")
        #expect(with.commit == commit, "\(with.failure)")
        try Files.replace("\(bench.path)/token", with: "wr0ng\n".utf8)
        let wrong = try bench.tip(access)
        #expect(
            wrong.status == 5 && wrong.failure.contains("does not take the user name and token"),
            "\(wrong.failure)")
        #expect(!wrong.stdout.contains("wr0ng"))

        let target = gate.port
        let redirect = try Gate { head in
            let path = head.split(separator: " ")[1]
            return .text(
                "HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:\(target)\(path)\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
            )
        }
        // By a path of its own: the gate may note the last request of the tries above after their answer.
        access.url = "http://127.0.0.1:\(redirect.port)/redirected.git"
        let redirected = try bench.tip(access)
        #expect(redirected.status == 5, "\(redirected.failure)")
        #expect(gate.requests.allSatisfy { !$0.contains("/redirected.git") || !$0.contains("Authorization") })
        #expect(redirect.requests.allSatisfy { !$0.contains("Authorization") })

        access.url = "http://git.example/site.git"
        access.allowsHTTP = true
        let clear = try bench.tip(access)
        #expect(clear.status == 5 && clear.failure.contains("would be sent unencrypted"), "\(clear.failure)")
    }

    @Test("a proxy that could not be used is refused, and that of the environment is not looked at")
    func proxy() throws {
        let bench = try Bench()
        let commit = try bench.push("past a proxy")
        let server = try serve(bench)
        defer { server.stop() }
        let proxy = try Gate { _ in .hang }
        var access = bench.access("http://127.0.0.1:\(server.port)/site.git")
        access.proxy = "http://127.0.0.1:\(proxy.port)"
        let plain = try bench.tip(access)
        #expect(
            plain.status == 64 && plain.failure.contains("is not reached through a proxy"), "\(plain.failure)"
        )
        access.url = "https://127.0.0.1/site.git"
        access.proxy = "http://ann:secret@127.0.0.1:1"
        let refused = try bench.tip(access)
        #expect(refused.status == 64 && !refused.failure.contains("secret"), "\(refused.failure)")
        for name in ["http_proxy", "https_proxy", "HTTPS_PROXY", "ALL_PROXY"] {
            bench.tools.environment[name] = "http://127.0.0.1:\(proxy.port)"
        }
        #expect(try bench.tip(bench.access("http://127.0.0.1:\(server.port)/site.git")).tip == commit)
        #expect(proxy.requests == [])
    }

    @Test("a redirect to another host is refused")
    func otherHost() throws {
        let bench = try Bench()
        let gate = try Gate { _ in
            .text(
                "HTTP/1.1 301 Moved\r\nLocation: http://localhost:1/site.git/info/refs?service=git-upload-pack\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
            )
        }
        let answer = try bench.tip(bench.access("http://127.0.0.1:\(gate.port)/site.git"))
        #expect(
            answer.status == 5 && answer.failure.contains("redirects to another server"), "\(answer.failure)")
    }

    @Test("a server without the smart protocol is named as such")
    func dumb() throws {
        let bench = try Bench()
        let gate = try Gate { _ in
            .text(
                "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 59\r\nConnection: close\r\n\r\n\(String(repeating: "1", count: 40))\trefs/heads/main\n\n\n"
            )
        }
        let answer = try bench.tip(bench.access("http://127.0.0.1:\(gate.port)/site.git"))
        #expect(
            answer.status == 1 && answer.failure.contains("does not speak Git's smart protocol"),
            "\(answer.failure)")
    }

    @Test("insteadOf in the user's configuration has no effect")
    func insteadOf() throws {
        let bench = try Bench()
        let commit = try bench.push()
        let server = try serve(bench)
        defer { server.stop() }
        try bench.shell(
            """
            git init -q --bare other.git
            printf '[url "file://\(bench.path)/other.git"]\\n\\tinsteadOf = http://127.0.0.1:\(server.port)/site.git\\n' > home/.gitconfig
            """)
        #expect(
            try bench.shell("git ls-remote http://127.0.0.1:\(server.port)/site.git") == "",
            "git itself follows it")
        #expect(try bench.tip(bench.access("http://127.0.0.1:\(server.port)/site.git")).tip == commit)
    }
}
