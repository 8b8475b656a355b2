import FoundationEssentials
import GitopsEngine
import Glibc
import Testing
import VoltCore
import VoltSystem
import VoltTestKit

/// A kind whose tool says which images it resolved: those in the file `images`. It writes its words into `words`, and
/// those that it is handed are not to be had while there is a file `gone`.
@Suite(.serialized, .timeLimit(.minutes(2))) struct EarlierImagesTests {
    private static let one = ["a": "sha256:1", "b": "sha256:2"]
    private static let two = ["a": "sha256:3", "b": "sha256:4"]

    private func host() throws -> Host {
        let host = try Host()
        let probe = "\(host.directory)/bin/volt-probe"
        let script = String(decoding: try Files.read(probe), as: UTF8.self)
        let start = """
            [ "$1" != apply ] || echo "$*" >>"$PROBE/words"
            case "$*" in *--dry-run*--image*)
                [ ! -e "$PROBE/gone" ] || { echo '{"error":"image a is gone","hint":"pull it"}' >&2; exit 3; };;
            esac

            """
        try Files.replace(
            probe,
            with: script.replacing("verb=$1\n", with: "\(start)verb=$1\n").replacing(
                #""message":"deployed"}'"#, with: #""message":"deployed"'"$(cat "$PROBE/images")}""#
            ).utf8, mode: 0o755)
        try resolve(nil, host)
        return host
    }

    /// What the tool resolves names to from now on; nil for a tool that does not say.
    private func resolve(_ images: [String: String]?, _ host: Host) throws {
        let text = try images.map {
            ",\"images\":" + String(decoding: try JSONEncoder().encode($0), as: UTF8.self)
        }
        try Files.replace("\(host.directory)/images", with: (text ?? "").utf8)
    }

    /// The images that the last apply was handed.
    private func handed(_ host: Host) -> [String: String] {
        let text = String(decoding: (try? Files.read("\(host.directory)/words")) ?? [], as: UTF8.self)
        let words =
            text.split(separator: "\n").filter { !$0.contains("--dry-run") }.last?.split(separator: " ") ?? []
        var images: [String: String] = [:]
        for (option, value) in zip(words, words.dropFirst()) where option == "--image" {
            let parts = value.split(separator: "=").map(String.init)
            images[parts[0]] = parts[1]
        }
        return images
    }

    private func sync(_ host: Host) throws {
        let result = try host.gitops("sync", "--name", "site")
        try #require(result.status == 0, "\(result.stderr)")
    }

    @Test("a rollback hands the images back that its attempt ran with, by hand and by itself")
    func rollback() throws {
        let host = try host()
        try host.createSite()
        try resolve(Self.one, host)
        try sync(host)
        #expect(handed(host) == [:])
        try resolve(Self.two, host)
        // The same commit again, by hand: names mean what they mean now.
        try sync(host)
        #expect(handed(host) == [:])
        try host.commit("two")
        try sync(host)
        #expect(try host.gitops("rollback", "--name", "site", "--to", "1").status == 0)
        #expect(handed(host) == Self.one)
        #expect(try host.gitops("rollback", "--name", "site", "--to", "3").status == 0)
        #expect(handed(host) == Self.two)
        #expect(try host.gitops("rollback", "--name", "site", "--to", "2").status == 0)
        #expect(handed(host) == Self.two)
        #expect(try host.gitops("show", "1").stdout.contains("images\n  a sha256:1\n  b sha256:2\n"))

        try host.commit("fatal", files: ["fatal": ""])
        #expect(try host.gitops("sync", "--name", "site").status == 1)
        #expect(try host.history().first?.trigger == .rollback)
        #expect(handed(host) == Self.two)
    }

    @Test("a rollback whose images are no longer to be had ends with 3, and changes nothing")
    func gone() throws {
        let host = try host()
        try host.createSite()
        try resolve(Self.one, host)
        try sync(host)
        try host.commit("two")
        try sync(host)
        let before = (try host.history(), host.applied, host.running)
        try Files.replace("\(host.directory)/gone", with: [])
        let result = try host.gitops("rollback", "--name", "site")
        #expect(result.status == 3)
        #expect(result.stderr.contains("image a is gone") && result.stderr.contains("pull it"), "\(result)")
        #expect(try host.history() == before.0)
        #expect(host.applied == before.1 && host.running == before.2)
        #expect(try !host.gitops("status").stdout.contains("held"))
    }

    @Test("a repair and the start after a reboot hand the images back that ran")
    func repair() throws {
        let host = try host()
        try host.createSite("--drift", "repair", "--drift-interval", "1s")
        try resolve(Self.one, host)
        try sync(host)
        try resolve(Self.two, host)
        let boot = "\(host.directory)/root/lib/gitops/boot-id"
        var server = try Serve(host)
        try host.wait("for the look at the workloads") { Files.exists(boot) }
        let absent = #"{"workload":"web","state":"absent","health":"none","restarts":0}"#
        try Files.replace("\(host.directory)/status", with: absent.utf8)
        try host.wait("for the repair") { try host.history().map(\.trigger.rawValue) == ["drift", "manual"] }
        try host.wait("for its end") { try host.history().first?.state == .done }
        #expect(handed(host) == Self.one)
        server.end(SIGTERM)
        try Files.remove("\(host.directory)/status")
        #expect(try host.gitops("suspend", "--name", "site").status == 0)

        try resolve(Self.one, host)
        try Files.replace("\(host.directory)/words", with: [])
        try Files.replace(boot, with: "another boot\n".utf8)
        server = try Serve(host)
        try host.wait("for the workload to be applied again") {
            try host.history().first.map { $0.trigger == .rollback && $0.state == .done } ?? false
        }
        // The repair was told by the tool what it ran with in the end.
        #expect(handed(host) == Self.two)
        server.end(SIGTERM)
    }

    @Test("of a deploy by an earlier version the tool tells the images that run, and else the log says so")
    func upgrade() throws {
        let host = try host()
        try host.createSite()
        // It kept nothing.
        try sync(host)
        let first = try host.git("rev-parse", "HEAD")
        let status =
            #"{"workload":"web","state":"running","health":"none","restarts":0,"desiredRevision":"\#(first)","#
            + #""images":{"a":"sha256:1","b":"sha256:2"}}"#
        try Files.replace("\(host.directory)/status", with: status.utf8)
        try resolve(Self.two, host)
        try host.commit("two")
        try sync(host)
        #expect(try host.gitops("rollback", "--name", "site").status == 0)
        #expect(handed(host) == Self.one)

        let other = try self.host()
        try other.createSite()
        try sync(other)
        try other.commit("two")
        try sync(other)
        #expect(try other.gitops("rollback", "--name", "site").status == 0)
        #expect(handed(other) == [:])
        #expect(
            try other.gitops("show", "3").stdout.contains("is not kept: their names mean what they mean now"))
    }
}
