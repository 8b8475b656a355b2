import Dispatch
import FoundationEssentials
import GitopsSource
import Synchronization
import Testing
import VoltCore
import VoltSystem
import VoltTestKit

/// Repositories with files that the real git-lfs(1) has put aside, and a server that has them.
@Suite(.enabled(if: Files.exists("/usr/bin/git-lfs"), "needs the package git-lfs"))
final class LargeFileTests {
    /// What the server has and how it answers.
    private final class Store: Sendable {
        let script = Mutex(Script())
        let port = Mutex<UInt16>(0)
    }

    /// How the server answers; the contents are by their digests.
    private struct Script: Sendable {
        var contents: [String: String] = [:]
        var wantsToken = false
        /// Where the content is, in the place of the server itself.
        var elsewhere: String?
        var header = "{}"
    }

    private let bench: Bench
    private let server: GitHTTPServer
    private let store = Store()
    private let gate: Gate

    init() throws {
        bench = try Bench()
        server = try GitHTTPServer(directory: bench.path)
        let running = server
        DispatchQueue(label: "git-http").async { running.serve() }
        try bench.shell("cd work; git lfs install --local >/dev/null; git lfs track '*.bin' >/dev/null")
        let real = server.port
        let store = store
        gate = try Gate { head in
            let script = store.script.withLock { $0 }
            let path = String(head.split(separator: " ").dropFirst().first ?? "")
            func answer(_ status: String, _ body: String, _ more: String = "") -> Gate.Answer {
                .text(
                    "HTTP/1.1 \(status)\r\nContent-Length: \(body.utf8.count)\r\n\(more)Connection: close\r\n\r\n\(body)"
                )
            }
            if script.wantsToken, !head.contains("Authorization: Basic bWU6czNjcmV0") {
                return answer("401 Unauthorized", "", "WWW-Authenticate: Basic realm=\"x\"\r\n")
            }
            if path.hasSuffix("/info/lfs/objects/batch") {
                guard head.contains("Accept: application/vnd.git-lfs+json") else {
                    return answer("406 No", "")
                }
                // Every object there is: a client takes those that it asked for.
                let origin = script.elsewhere ?? "http://127.0.0.1:\(store.port.withLock { $0 })"
                let objects = script.contents.keys.sorted().map {
                    #"{"oid":"\#($0)","size":1,"actions":{"download":{"href":"\#(origin)/objects/\#($0)","header":\#(script.header)}}}"#
                }
                return answer(
                    "200 OK", #"{"transfer":"basic","objects":[\#(objects.joined(separator: ","))]}"#)
            }
            if path.hasPrefix("/objects/") {
                guard let content = script.contents[String(path.dropFirst(9))] else {
                    return answer("404 No", "")
                }
                return answer("200 OK", content)
            }
            return .forward(real)
        }
        store.port.withLock { $0 = gate.port }
    }

    private var access: RepositoryAccess {
        var access = bench.access("http://127.0.0.1:\(gate.port)/site.git")
        access.lfs = true
        return access
    }

    /// Commits files by git-lfs, and gives their digests by their names.
    @discardableResult
    private func push(_ files: [String: String]) throws -> [String: String] {
        var digests: [String: String] = [:]
        for (name, text) in files {
            try Files.makeDirectory(Files.parent(of: "\(bench.path)/work/\(name)"))
            try Files.replace("\(bench.path)/work/\(name)", with: text.utf8)
        }
        try bench.shell(
            "cd work; git add -A; git commit -qm large; git push -q --no-verify ../site.git HEAD:main")
        for name in files.keys {
            let pointer = try bench.shell("git -C work show HEAD:\(name)")
            digests[name] = try #require(LFSPointer(Array("\(pointer)\n".utf8)), "\(pointer)").oid
        }
        return digests
    }

    private func failure(_ access: RepositoryAccess? = nil) throws -> String {
        let answer = try bench.snapshot(access ?? self.access, "s\(UInt32.random(in: 0...UInt32.max))")
        #expect(answer.status != 0)
        #expect(try bench.leftovers == [])
        return answer.failure
    }

    private var downloads: Int { gate.requests.count { $0.hasPrefix("GET /objects/") } }

    @Test("the content takes the place of the pointers, once for each digest, and stays for the next commit")
    func content() throws {
        let large = String(repeating: "0123456789abcdef", count: 20_000)
        let digests = try push(["a.bin": large, "deep/b.bin": large, "c.bin": "small"])
        try bench.shell(
            "cd work; chmod 755 c.bin; git commit -qam mode; git push -q --no-verify ../site.git HEAD:main")
        for name in ["a.bin", "c.bin"] {
            store.script.withLock { $0.contents[digests[name] ?? ""] = name == "a.bin" ? large : "small" }
        }
        let answer = try bench.snapshot(access, "1")
        #expect(answer.status == 0, "\(answer.failure)")
        #expect(answer.notes == [])
        #expect(try bench.read("1/a.bin") == large)
        #expect(try bench.read("1/deep/b.bin") == large)
        #expect(try bench.shell("cd snapshots/1; cat c.bin; stat -c ' %a' c.bin a.bin") == "small 755\n 644")
        #expect(downloads == 2)
        let digest = try push(["e.bin": "new"])["e.bin"] ?? ""
        store.script.withLock { $0.contents = [digest: "new"] }
        #expect(try bench.snapshot(access, "2").status == 0)
        #expect(try bench.read("2/a.bin") == large)
        #expect(try bench.read("2/e.bin") == "new")
        #expect(downloads == 3)
        // Without being asked for, a pointer stays one.
        var without = access
        without.lfs = nil
        let plain = try bench.snapshot(without, "3")
        #expect(plain.notes.first?.contains("--lfs of 'create'") == true)
        #expect(try bench.read("3/c.bin").hasPrefix("version https://git-lfs"))
    }

    @Test("other bytes, too many, or none are refused by the file's name, and nothing is kept of them")
    func wrong() throws {
        let digest = try push(["a.bin": "right"])["a.bin"] ?? ""
        #expect(try failure().contains("'a.bin' is not in the Git LFS of"))
        for content in ["wrong", "righ", "right and more"] {
            store.script.withLock { $0.contents = [digest: content] }
            _ = try failure()
        }
        #expect(try Files.list("\(bench.mirror)/lfs").filter { !$0.hasPrefix(".") } == [])
        store.script.withLock { $0.contents = [digest: "wrong"] }
        #expect(try failure().contains("gave other bytes for 'a.bin' than its pointer names"))
        store.script.withLock { $0.contents = [digest: "right"] }
        #expect(try bench.snapshot(access, "1").status == 0)
        // A pointer that promises more than a tree may have is refused before anything is fetched.
        try bench.shell(
            """
            cd work; printf 'version https://git-lfs.github.com/spec/v1\\noid sha256:%064d\\nsize 99999999999999\\n' 7 > big.bin
            git update-index --add --cacheinfo 100644,$(git hash-object -w --no-filters big.bin),big.bin; git commit -qm big; git push -q --no-verify ../site.git HEAD:main
            """)
        #expect(try failure().contains("'big.bin' makes the tree larger than"))
    }

    @Test("the token goes to the server of the repository, and what that says goes to where it says")
    func credentials() throws {
        try Files.replace("\(bench.path)/token", with: "s3cret\n".utf8)
        let digest = try push(["a.bin": "right"])["a.bin"] ?? ""
        let other = try Gate { _ in
            .text("HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: close\r\n\r\nright")
        }
        store.script.withLock {
            $0.contents = [digest: "right"]
            $0.wantsToken = true
            $0.elsewhere = "http://127.0.0.1:\(other.port)"
            $0.header = #"{"X-Signed":"for-this"}"#
        }
        var access = access
        access.username = "me"
        access.tokenFile = "\(bench.path)/token"
        let answer = try bench.snapshot(access, "1")
        #expect(answer.status == 0, "\(answer.failure)")
        #expect(other.requests.count == 1)
        #expect(
            other.requests.allSatisfy { $0.contains("X-Signed: for-this") && !$0.contains("Authorization") })
        try Files.removeTree("\(bench.mirror)/lfs")
        store.script.withLock { $0.elsewhere = nil }
        #expect(try bench.snapshot(access, "2").status == 0)
        #expect(gate.requests.last?.contains("Authorization: Basic bWU6czNjcmV0") == true)
        store.script.withLock { $0.elsewhere = "file:///etc/passwd?" }
        try Files.removeTree("\(bench.mirror)/lfs")
        #expect(try failure(access).contains("names no URL for 'a.bin'"))
    }
}
