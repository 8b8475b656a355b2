import Dispatch
import GitopsSource
import Testing
import VoltCore
import VoltSystem
import VoltTestKit

/// Repositories that name others, made by git itself and served by a real git over HTTP.
@Suite struct SubmoduleTests {
    private let bench: Bench
    private let server: GitHTTPServer
    private let access: RepositoryAccess

    init() throws {
        bench = try Bench()
        server = try GitHTTPServer(directory: bench.path)
        let running = server
        DispatchQueue(label: "git-http").async { running.serve() }
        var access = bench.access("http://127.0.0.1:\(server.port)/site.git")
        access.submodules = true
        self.access = access
        try bench.shell(
            """
            git config --global protocol.file.allow always
            for name in lib deep; do
                git init -q --bare -b main $name.git; git init -q -b main $name
                echo $name > $name/$name.txt; git -C $name add -A; git -C $name commit -qm $name
                git -C $name push -q ../$name.git main
            done
            """)
    }

    /// Adds a submodule at the tip of a repository of the bench, with the URL that .gitmodules gets.
    private func add(_ name: String, to work: String, at path: String, url: String) throws {
        try bench.shell(
            """
            cd \(work); git submodule --quiet add -f ../\(name).git \(path); git config -f .gitmodules submodule.\(path).url '\(url)'
            git add -A; git commit -qm 'add \(path)'
            """)
    }

    private func push(_ work: String, _ repository: String) throws {
        try bench.shell("git -C \(work) push -qf ../\(repository).git HEAD:main")
    }

    private func failure(_ access: RepositoryAccess? = nil) throws -> String {
        let answer = try bench.snapshot(access ?? self.access, "s\(UInt32.random(in: 0...UInt32.max))")
        #expect(answer.status != 0)
        #expect(try bench.leftovers == [])
        return answer.failure
    }

    @Test("submodules come with the commit that names them, also within each other and by relative URLs")
    func nested() throws {
        try add("deep", to: "lib", at: "vendor/deep", url: "../deep.git")
        try push("lib", "lib")
        try bench.push("plain")
        try add("lib", to: "work", at: "third/lib", url: "../lib.git")
        try push("work", "site")
        let first = try bench.snapshot(access, "1")
        #expect(first.status == 0, "\(first.failure)")
        #expect(first.notes == [])
        #expect(try bench.read("1/third/lib/lib.txt") == "lib\n")
        #expect(try bench.read("1/third/lib/vendor/deep/deep.txt") == "deep\n")
        #expect(
            try Files.list("\(bench.path)/snapshots/1/third/lib").sorted() == [
                ".gitmodules", "lib.txt", "vendor",
            ])
        // The commit that is named counts, not the tip of the other repository.
        try bench.shell(
            "cd lib; echo newer > lib.txt; git commit -qam newer; git push -q ../lib.git HEAD:main")
        #expect(try bench.snapshot(access, "2").status == 0)
        #expect(try bench.read("2/third/lib/lib.txt") == "lib\n")
        try bench.shell(
            "cd work/third/lib; git pull -q origin main; cd ../..; git add -A; git commit -qm newer; git push -q ../site.git HEAD:main"
        )
        #expect(try bench.snapshot(access, "3").status == 0)
        #expect(try bench.read("3/third/lib/lib.txt") == "newer\n")
        // Without being asked for, they are left out.
        var without = access
        without.submodules = nil
        let plain = try bench.snapshot(without, "4")
        #expect(plain.notes.first?.contains("1 submodule(s) left out") == true)
        #expect(!Files.exists("\(bench.path)/snapshots/4/third/lib"))
        // A mirror of a submodule that is damaged is made again.
        try bench.shell("find mirror/modules -name '*.pack' -exec sh -c 'printf x > \"$1\"' - {} \\;")
        let again = try bench.snapshot(access, "5")
        #expect(again.status == 0, "\(again.failure)")
        #expect(again.notes.contains { $0.hasPrefix("the mirror of '") }, "\(again.notes)")
        #expect(try bench.read("5/third/lib/vendor/deep/deep.txt") == "deep\n")
    }

    @Test("the host of the repository gets the credentials, another one does not")
    func credentials() throws {
        try Files.replace("\(bench.path)/token", with: "s3cret\n".utf8)
        let real = server.port
        let challenge =
            "HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Basic realm=\"x\"\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
        let own = try Gate { $0.contains("Authorization: Basic ") ? .forward(real) : .text(challenge) }
        let open = try Gate { _ in .forward(real) }
        let asks = try Gate { _ in .text(challenge) }
        var access = access
        access.url = "http://127.0.0.1:\(own.port)/site.git"
        access.username = "me"
        access.tokenFile = "\(bench.path)/token"
        try bench.push("plain")
        try add("lib", to: "work", at: "own", url: "../lib.git")
        try add("deep", to: "work", at: "other", url: "http://127.0.0.1:\(open.port)/deep.git")
        try push("work", "site")
        let answer = try bench.snapshot(access, "1")
        #expect(answer.status == 0, "\(answer.failure)")
        #expect(try bench.read("1/own/lib.txt") == "lib\n")
        #expect(try bench.read("1/other/deep.txt") == "deep\n")
        #expect(!open.requests.isEmpty && open.requests.allSatisfy { !$0.contains("Authorization") })
        // One that asks for a credential is told none, and the error names the submodule.
        try bench.shell(
            "cd work; git config -f .gitmodules submodule.other.url http://127.0.0.1:\(asks.port)/private.git; git commit -qam private; git push -q ../site.git HEAD:main"
        )
        let refused = try failure(access)
        #expect(refused.contains("submodule 'other'") && refused.contains("wants a credential"), "\(refused)")
        #expect(refused.contains("gets no credential of this pipeline"), "\(refused)")
        #expect(!asks.requests.isEmpty && asks.requests.allSatisfy { !$0.contains("Authorization") })
    }

    @Test("what a .gitmodules must not name is refused with the submodule's path, and nothing is left")
    func hostile() throws {
        try bench.push("plain")
        try add("lib", to: "work", at: "lib", url: "../lib.git")
        for (url, reason) in [
            ("file://\(bench.path)/lib.git", "is a path of this host"),
            ("\(bench.path)/lib.git", "path of this host"),
            ("--upload-pack=touch", "begins with '-'"), ("ext::sh -c id", "submodule 'lib'"),
            ("git://127.0.0.1/lib.git", "submodule 'lib'"), ("../../../../lib.git", "leads out of the host"),
            ("git@elsewhere.invalid:team/lib.git", "is on another host"),
            ("http://127.0.0.1:\(server.port)/none.git", "submodule 'lib'"),
        ] {
            try bench.shell(
                "cd work; git config -f .gitmodules submodule.lib.url '\(url)'; git commit -qam url; git push -qf ../site.git HEAD:main"
            )
            let said = try failure()
            #expect(said.contains(reason), "\(url): \(said)")
        }
        try bench.shell(
            "cd work; git rm -q --cached .gitmodules; rm .gitmodules; git commit -qm none; git push -qf ../site.git HEAD:main"
        )
        #expect(try failure().contains("submodule 'lib' has no URL in .gitmodules"))
        // What listens for this host alone is reached only by pipelines of this host.
        try bench.shell(
            "cd work; git config -f .gitmodules submodule.lib.path lib; git config -f .gitmodules submodule.lib.url http://127.0.0.1:\(server.port)/lib.git; git add .gitmodules; git commit -qm local; git push -qf ../site.git HEAD:main"
        )
        var files = bench.access("file://\(bench.path)/site.git")
        files.submodules = true
        files.allowsFile = true
        #expect(try failure(files).contains("is an address of this host"))
        // A file that is larger than any that git writes is not read.
        try bench.shell(
            "cd work; head -c 2000000 /dev/zero | tr '\\0' '#' > .gitmodules; git commit -qam large; git push -qf ../site.git HEAD:main"
        )
        #expect(try failure().contains("'.gitmodules' is larger than 1M"))
        // A commit that only its author has.
        try bench.shell(
            """
            cd work; git -C ../lib commit -q --allow-empty -m private
            printf '[submodule "lib"]\\n\\tpath = lib\\n\\turl = ../lib.git\\n' > .gitmodules; git add .gitmodules
            git update-index --cacheinfo 160000,$(git -C ../lib rev-parse HEAD),lib; git commit -qm ahead; git push -qf ../site.git HEAD:main
            """)
        #expect(try failure().contains("is on no branch and no tag of"))
    }

    @Test("a repository that names itself ends at a depth")
    func endless() throws {
        try bench.push("plain")
        // Each commit names the one before, so a chain is as long as somebody likes.
        for _ in 0..<7 {
            try bench.shell(
                """
                cd work; printf '[submodule "x"]\\n\\tpath = x\\n\\turl = ../site.git\\n' > .gitmodules; git add .gitmodules
                git update-index --add --cacheinfo 160000,$(git rev-parse HEAD),x; git commit -qm chain; git push -qf ../site.git HEAD:main
                """)
        }
        #expect(try failure().contains("more than 5 submodules within each other"))
    }
}
