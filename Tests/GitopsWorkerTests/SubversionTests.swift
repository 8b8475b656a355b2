import GitopsSource
import Glibc
import Testing
import VoltSystem
import VoltTestKit

@Suite(.enabled(if: Files.exists("/usr/bin/svnserve"), "needs the package subversion"))
struct SubversionTests {
    /// A real svnserve(8) with a repository that has a trunk, a branch and an account.
    private final class Server {
        let bench: Bench
        let base: String
        private let process: Background

        init(anonymous: String = "read") throws {
            bench = try Bench()
            let port = LoopbackPort.free()
            base = "svn://127.0.0.1:\(port)/repo"
            try bench.shell(
                """
                mkdir svn; svnadmin create svn/repo
                svn mkdir -q -m layout file://$PWD/svn/repo/trunk file://$PWD/svn/repo/branches
                svn checkout -q file://$PWD/svn/repo/trunk wc
                cd wc; printf one > index.html; printf at > 'a@b'; ln -s index.html link; printf run > run; chmod 755 run
                svn add -q index.html a@b@ link run; svn commit -q --username ann -m 'First & <foremost>'
                """)
            try Files.replace(
                "\(bench.path)/svn/repo/conf/svnserve.conf",
                with: """
                    [general]
                    anon-access = \(anonymous)
                    auth-access = write
                    password-db = passwd

                    """.utf8)
            try Files.replace("\(bench.path)/svn/repo/conf/passwd", with: "[users]\nbob = s3cret\n".utf8)
            process = try Background(
                "/usr/bin/svnserve",
                [
                    "--daemon", "--foreground", "--listen-host", "127.0.0.1", "--listen-port", "\(port)",
                    "-r", "\(bench.path)/svn",
                ],
                environment: bench.tools.environment, log: "\(bench.path)/svnserve.log")
            try eventually("svnserve listens") { listens(port) }
        }

        func access(_ url: String, branch: String = "trunk") -> RepositoryAccess {
            bench.access(url, branch: branch, system: .svn)
        }

        func located(_ url: String, branch: String) throws -> SourceEvent? {
            let request = SourceRequest(
                action: .locate, repository: access(url, branch: branch), mirror: bench.mirror)
            return try bench.ask(request).events.last
        }
    }

    @Test("a snapshot has the files of the revision, and the next commit makes a new one")
    func snapshot() throws {
        let server = try Server()
        let access = server.access("\(server.base)/trunk")
        #expect(try server.bench.tip(access).tip == "2")
        let answer = try server.bench.snapshot(access, "2")
        #expect(
            answer.events.last
                == .snapshot(commit: "2", subject: "First & <foremost>", author: "ann", files: 4, bytes: 8),
            "\(answer.failure)")
        #expect(
            try server.bench.shell("cd snapshots/2 && find . -mindepth 1 -printf '%M %p %l\\n' | sort -k2")
                == """
                -rw-r--r-- ./a@b 
                -rw-r--r-- ./index.html 
                lrwxrwxrwx ./link index.html
                -rwxr-xr-x ./run 
                """)
        try server.bench.shell(
            "cd wc; printf two > index.html; svn update -q; svn propset -q svn:externals '^/branches ext' .; svn commit -q -m second"
        )
        let third = try server.bench.snapshot(access, "3")
        #expect(third.commit == "3")
        #expect(
            third.events.contains(.note(message: "svn:externals are left out: '^/branches ext' of '.'")),
            "\(third.events)")
        #expect(!answer.events.contains { if case .note = $0 { true } else { false } })
        #expect(try server.bench.read("3/index.html") == "two")
        #expect(!Files.exists("\(server.bench.path)/snapshots/3/ext"), "externals are ignored")
        #expect(try server.bench.snapshot(access, "old", commit: "2").commit == "2")
        #expect(try server.bench.read("old/index.html") == "one")
        let future = try server.bench.snapshot(access, "9", commit: "9")
        #expect(future.status != 0 && !Files.exists("\(server.bench.path)/snapshots/9"), "\(future.failure)")
        #expect(try server.bench.leftovers == [])
    }

    @Test("a commit elsewhere in the repository does not change the tip")
    func otherPath() throws {
        let server = try Server()
        try server.bench.shell("svn mkdir -q -m other file://$PWD/svn/repo/branches/x")
        #expect(try server.bench.tip(server.access("\(server.base)/trunk")).tip == "2")
        #expect(
            try server.bench.tip(server.access("\(server.base)/branches/x", branch: "branches/x")).tip == "3")
    }

    @Test("the branch is appended only when the URL does not end in it and it is there")
    func location() throws {
        let server = try Server()
        let trunk = SourceEvent.located(url: "\(server.base)/trunk")
        #expect(try server.located("\(server.base)/trunk", branch: "trunk") == trunk)
        #expect(try server.located("\(server.base)/trunk/", branch: "trunk") == trunk)
        #expect(try server.located(server.base, branch: "trunk") == trunk)
        #expect(try server.located("\(server.base)/trunk", branch: "main") == trunk)
        try server.bench.shell(
            "svn copy -q -m copy file://$PWD/svn/repo/trunk file://$PWD/svn/repo/branches/x")
        #expect(
            try server.located(server.base, branch: "branches/x")
                == .located(url: "\(server.base)/branches/x"))
        try server.bench.shell("svn delete -q -m gone file://$PWD/svn/repo/branches/x")
        let deleted = try server.bench.tip(server.access(server.base, branch: "branches/x"))
        #expect(
            deleted.status == 3 && deleted.failure.contains("has no branch"),
            "never the whole repository: \(deleted.failure)")
        let gone = try server.bench.tip(server.access("\(server.base)/nowhere", branch: "main"))
        #expect(gone.status == 3 && gone.failure.contains("has no branch 'main'"), "\(gone.failure)")
        // A mistyped branch is no other name for the whole repository.
        let mistyped = try server.bench.tip(server.access(server.base, branch: "trnk"))
        #expect(
            mistyped.status == 3
                && mistyped.failure.contains("has no branch 'trnk'; there is: branches/, trunk/"),
            "\(mistyped.failure)")
        let below = try server.bench.tip(server.access(server.base, branch: "branches/y"))
        #expect(
            below.status == 3 && below.failure.contains("there is: branches/, trunk/"), "\(below.failure)")
        let host = try server.bench.tip(server.access("svn://127.0.0.1:\(LoopbackPort.free())/repo"))
        #expect(host.status == 1 && host.failure.contains("does not answer"), "\(host.failure)")
        let repository = try server.bench.tip(server.access("\(server.base)x/trunk"))
        #expect(repository.status == 3 && repository.failure.contains("not found"), "\(repository.failure)")
    }

    @Test("a pipeline of an earlier Volt whose branch never was there goes on with the URL itself")
    func earlier() throws {
        let server = try Server()
        // What such a one has left: a mirror without a mark.
        try Files.makeDirectory("\(server.bench.mirror)/home")
        #expect(try server.bench.tip(server.access(server.base, branch: "main")).tip == "2")
        #expect(try server.located(server.base, branch: "main") != .located(url: server.base))
    }

    @Test("the password goes through stdin, and a wrong one is told without repeating it")
    func password() throws {
        let server = try Server(anonymous: "none")
        let bench = server.bench
        // Notes what svn is called with.
        try bench.shell(
            """
            mkdir bin; printf '#!/bin/sh\\necho "$@" >> \(bench.path)/argv\\nexec /usr/bin/svn "$@"\\n' > bin/svn; chmod 755 bin/svn
            """)
        bench.tools.environment["PATH"] = "\(bench.path)/bin:\(bench.tools.environment["PATH"] ?? "")"
        var access = server.access("\(server.base)/trunk")
        let none = try bench.tip(access)
        #expect(none.status == 5 && none.failure.contains("authentication failed"), "\(none.failure)")
        access.username = "bob"
        access.tokenFile = "\(bench.path)/password"
        try Files.replace("\(bench.path)/password", with: "s3cret\n".utf8)
        #expect(try bench.snapshot(access, "2").commit == "2")
        let calls = try bench.shell("cat argv")
        #expect(calls.contains("--password-from-stdin") && calls.contains("--username bob"))
        #expect(!calls.contains("s3cret"))
        try Files.replace("\(bench.path)/password", with: "wr0ng".utf8)
        let wrong = try bench.tip(access)
        #expect(wrong.status == 5 && wrong.failure.contains("authentication failed"), "\(wrong.failure)")
        #expect(!wrong.stdout.contains("wr0ng"))
    }

    @Test("without svn the package is named, and exit 69")
    func missing() throws {
        let bench = try Bench()
        try bench.shell("mkdir empty; ln -s \(ToolRunner.products)/volt-gitops--worker empty/")
        bench.tools.environment["PATH"] = "\(bench.path)/empty"
        let answer = try bench.tip(bench.access("svn://127.0.0.1/x", branch: "trunk", system: .svn))
        #expect(
            answer.status == 69 && answer.failure.contains("install the package subversion"),
            "\(answer.failure)")
    }

    @Test("svn does not outlive a worker that is killed")
    func killed() throws {
        let bench = try Bench()
        let gate = try Gate { _ in .hang }
        try bench.shell(
            """
            mkdir bin; printf '#!/bin/sh\\necho $$ > \(bench.path)/pid.new; mv \(bench.path)/pid.new \(bench.path)/pid\\nexec /usr/bin/svn "$@"\\n' > bin/svn; chmod 755 bin/svn
            """)
        bench.tools.environment["PATH"] = "\(bench.path)/bin:\(bench.tools.environment["PATH"] ?? "")"
        let request = SourceRequest(
            action: .tip,
            repository: bench.access("svn://127.0.0.1:\(gate.port)/x", branch: "trunk", system: .svn),
            mirror: bench.mirror)
        let worker = try bench.start(request)
        try eventually("svn runs") { Files.exists("\(bench.path)/pid") }
        let svn = try #require(Int32(try bench.shell("cat pid")))
        killAndWait(worker)
        try eventually("svn is gone") { !Processes.isAlive(svn) }
    }
}
