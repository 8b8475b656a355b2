import Glibc
import Testing
import VoltCore
import VoltSystem

@testable import GitopsEngine

@Suite struct HookSecretTests {
    private let directory =
        "\(Environment.current["TMPDIR"] ?? "/tmp")/volt-secrets-\(getpid())-\(UInt32.random(in: 0...UInt32.max))"
    private let start = Timestamp(milliseconds: 1_700_000_000_000)

    private func files(_ name: String = "site") throws -> HookSecretFiles {
        let paths = GitopsPaths(try HostPaths(tool: "gitops", environment: ["VOLT_ROOT": directory]))
        try paths.make()
        return HookSecretFiles(paths, try Name(name, of: "pipeline"))
    }

    private func valid(_ files: HookSecretFiles, after seconds: Int64 = 0) throws -> [String] {
        try files.read(now: start.advanced(by: .seconds(seconds))).map {
            String(decoding: $0.bytes, as: UTF8.self)
        }
    }

    private func rotate(_ files: HookSecretFiles, to secret: String, at seconds: Int64, grace: Int64) throws {
        let now = start.advanced(by: .seconds(seconds))
        try files.rotate(
            to: Array(secret.utf8), now: now, until: now.advanced(by: .seconds(grace)))
    }

    @Test("two secrets are valid until the grace ends, and never a third")
    func grace() throws {
        defer { try? Files.removeTree(directory) }
        let files = try files()
        #expect(try valid(files) == [])
        try files.set(Array("a".utf8))
        #expect(try valid(files) == ["a"])
        try rotate(files, to: "b", at: 0, grace: 10)
        #expect(try valid(files, after: 9) == ["b", "a"])
        #expect(try valid(files, after: 10) == ["b"])
        try rotate(files, to: "c", at: 5, grace: 10)
        #expect(try valid(files, after: 6) == ["c", "b"])
        #expect(try valid(files, after: 15) == ["c"])
        #expect(files.hasEnded(now: start.advanced(by: .seconds(15))))
        try files.prune(now: start.advanced(by: .seconds(15)))
        #expect(!files.hasEnded(now: start.advanced(by: .seconds(15))))
        #expect(try Files.list("\(directory)/lib/gitops/secrets") == ["site"])
    }

    @Test("no grace, a retired secret, and a rollback to the secret before")
    func ends() throws {
        defer { try? Files.removeTree(directory) }
        let files = try files()
        try files.set(Array("a".utf8))
        try rotate(files, to: "b", at: 0, grace: 0)
        #expect(try valid(files) == ["b"])
        try rotate(files, to: "a", at: 0, grace: 10)
        #expect(try valid(files) == ["a", "b"])
        try rotate(files, to: "b", at: 1, grace: 10)
        #expect(try valid(files, after: 2) == ["b", "a"])
        try files.retire()
        #expect(try valid(files, after: 2) == ["b"])
    }

    @Test("what a killed rotation left between its two files is what was before it")
    func between() throws {
        defer { try? Files.removeTree(directory) }
        let files = try files()
        let current = "\(directory)/lib/gitops/secrets/site"
        try files.set(Array("a".utf8))
        try rotate(files, to: "b", at: 0, grace: 100)
        // The second file of a rotation to c is there, the first is not.
        let old = try Files.read(current)
        try rotate(files, to: "c", at: 1, grace: 50)
        let afterwards = try Files.read("\(current).previous")
        try rotate(files, to: "d", at: 1, grace: 50)
        try files.remove()
        try Files.replace(current, with: old)
        let bothKept =
            #"[{"secret":"YQ==","until":"2023-11-14T22:15:00.000Z"},"#
            + String(decoding: afterwards, as: UTF8.self).dropFirst()
        try Files.replace("\(current).previous", with: bothKept.utf8)
        #expect(try valid(files, after: 2) == ["b", "a"])
        // A second try ends the rotation.
        try rotate(files, to: "c", at: 3, grace: 50)
        #expect(try valid(files, after: 4) == ["c", "b"])
    }

    @Test("removing leaves nothing of the pipeline, and everything of one whose name begins alike")
    func removal() throws {
        defer { try? Files.removeTree(directory) }
        let files = try files()
        let other = try self.files("site-2")
        for one in [files, other] {
            try one.set(Array("a".utf8))
            try rotate(one, to: "b", at: 0, grace: 10)
        }
        try Files.replace("\(directory)/lib/gitops/secrets/site.1.2.tmp", with: "half".utf8)
        try files.remove()
        #expect(
            try Files.list("\(directory)/lib/gitops/secrets").sorted() == ["site-2", "site-2.previous"])
        #expect(try valid(other) == ["b", "a"])
    }

    @Test("a second file that cannot be read is an error and never one secret fewer in silence")
    func damaged() throws {
        defer { try? Files.removeTree(directory) }
        let files = try files()
        try files.set(Array("a".utf8))
        try Files.replace("\(directory)/lib/gitops/secrets/site.previous", with: "[{".utf8)
        #expect(throws: VoltError.self) { try files.read(now: start) }
    }
}
