import Glibc
import Testing
import VoltSystem
import VoltTestKit

/// `examples/volt-files`, a kind of workload in shell, as docs/extending.md has it.
@Suite(.serialized, .timeLimit(.minutes(5))) struct FilesKindTests {
    private static let manifest = """
        apiVersion: volt/v1
        kind: files
        spec:
          directory: public     # of the repository
          index: index.html

        """

    private func host() throws -> Host {
        let host = try Host()
        let made = try host.tool(
            "make", "-s", "-C", "\(Golden.root())/examples/volt-files", "install", "PREFIX=\(host.directory)")
        try #require(made.status == 0, "\(made.stderr)")
        try Files.makeDirectory("\(host.directory)/repository/public")
        try commit(host, "one", ["public/index.html": "one"])
        try host.createSite()
        return host
    }

    /// Commits files beside the manifest.
    @discardableResult
    private func commit(
        _ host: Host, _ message: String, _ files: [String: String], manifest: String = manifest
    )
        throws -> String
    {
        try host.commit(message, files: files.merging(["volt-manifest.yaml": manifest]) { $1 })
    }

    private func served(_ host: Host) -> String? {
        (try? Files.read("\(host.directory)/root/lib/files/web/current/files/index.html")).map {
            String(decoding: $0, as: UTF8.self)
        }
    }

    @Test(
        "a push deploys a kind in shell, a broken one leaves the old files, and a rollback brings files back")
    func deploys() throws {
        let host = try host()
        let first = try host.gitops("sync", "--name", "site")
        #expect(first.status == 0, "\(first.stderr)")
        #expect(served(host) == "one")

        let two = try commit(host, "two", ["public/index.html": "two"])
        #expect(try host.gitops("plan", "--name", "site").stdout.contains("web: replace: files differ"))
        #expect(try host.gitops("sync", "--name", "site").status == 0)
        #expect(served(host) == "two")

        try commit(host, "broken", ["public/index.html": ""])
        let broken = try host.gitops("sync", "--name", "site")
        #expect(broken.status == 1)
        #expect(broken.stderr.contains("'public/index.html' is missing or empty"), "\(broken.stderr)")
        #expect(served(host) == "two")
        #expect(
            try host.tool("volt-files", "list", "-o", "json").stdout.contains(#""desiredRevision":"\#(two)""#)
        )

        #expect(try host.gitops("rollback", "--name", "site").status == 0)
        #expect(served(host) == "one")
        #expect(try host.gitops("delete", "--name", "site", "--remove-workload").status == 0)
        #expect(served(host) == nil)
    }

    @Test("a commit cannot have other files of the host served", arguments: ["link", "directory", "above"])
    func outside(way: String) throws {
        let host = try host()
        #expect(try host.gitops("sync", "--name", "site").status == 0)
        var manifest = Self.manifest
        switch way {
        case "link": symlink("/etc/passwd", "\(host.directory)/repository/public/passwd")
        case "directory":
            symlink("/etc", "\(host.directory)/repository/linked")
            manifest = manifest.replacing("public ", with: "linked/ssl ")
        default: manifest = manifest.replacing("public ", with: "../.. ")
        }
        try commit(host, way, ["public/index.html": way], manifest: manifest)
        let made = try host.gitops("sync", "--name", "site")
        #expect(made.status == 1, "\(made.stderr)")
        #expect(served(host) == "one")
    }

    @Test(
        "an apply that was killed at any step leaves the old files or the new ones, and the next one goes on")
    func killed() throws {
        let host = try host()
        #expect(try host.gitops("sync", "--name", "site").status == 0)
        let source = "\(host.directory)/repository"
        for tool in ["mkdir", "cp", "sync", "ln", "mv", "rm"] {
            try Files.makeDirectory("\(host.directory)/killer")
            // The first such program takes the script down with it, before or after its own work.
            try Files.replace("\(source)/public/index.html", with: Array(tool.utf8))
            try Files.replace(
                "\(host.directory)/killer/\(tool)",
                with: Array("#!/bin/sh\n/bin/\(tool) \"$@\"\nkill -9 $PPID\n".utf8), mode: 0o755)
            var killing = host.tool
            killing.environment["PATH"] = "\(host.directory)/killer:\(host.tool.environment["PATH"] ?? "")"
            let words = [
                "volt-files", "apply", "--workload", "web", "--manifest", "\(source)/volt-manifest.yaml",
                "--source", source, "--revision", tool, "-o", "json",
            ]
            let made = try killing.run(words)
            #expect(made.status == 128 + SIGKILL, "\(tool): \(made.status) \(made.stderr)")
            let now = try #require(served(host))
            #expect(!now.isEmpty, "\(tool)")
            try Files.removeTree("\(host.directory)/killer")
            let again = try host.tool.run(words)
            #expect(again.status == 0, "\(tool): \(again.stderr)")
            #expect(served(host) == tool)
            #expect(
                try Files.list("\(host.directory)/root/lib/files/web").filter { $0.hasPrefix("g") }.count == 1
            )
        }
    }
}
