import Glibc
import Testing
import VoltCore
import VoltSystem
import VoltTestKit
import VoltWorkload

@testable import ContainerSecrets

/// Files that age(1) encrypts while the test runs.
@Suite(.timeLimit(.minutes(1))) struct AgeTests {
    private let fixtures: Fixtures
    private let run: ToolRunner

    init() throws {
        fixtures = try Fixtures()
        run = ToolRunner(scratch: fixtures.scratch.path)
    }

    private func encrypted(_ bytes: [UInt8], _ name: String, armoured: Bool = false) throws -> [UInt8] {
        let plain = "\(fixtures.scratch.path)/plain"
        let sealed = "\(fixtures.scratch.path)/\(name)"
        try Files.replace(plain, with: bytes)
        let words =
            ["age", "-e", "-i", fixtures.keys.path] + (armoured ? ["-a"] : []) + ["-o", sealed, plain]
        try #require(try run.run(words).status == 0)
        return try Files.read(sealed)
    }

    @Test("a file that age has encrypted, binary or armoured", arguments: [false, true])
    func whole(armoured: Bool) throws {
        let bytes = (0..<200_000).map { UInt8(truncatingIfNeeded: $0 &* 31) }
        let sealed = try encrypted(bytes, "tls.key.age", armoured: armoured)
        guard case .bytes(let opened) = try SecretFile.open(sealed, file: "tls.key.age", keys: fixtures.keys)
        else {
            Issue.record("no bytes")
            return
        }
        #expect(opened == bytes)
    }

    @Test("variables from a dotenv file that is encrypted as a whole")
    func variables() throws {
        _ = try encrypted(Array("# one\nA=1\nB=x=y\n".utf8), "app.env.age")
        let path = "\(fixtures.scratch.path)/app.env.age"
        let secret = Secret(
            file: "app.env.age", path: path, digest: SHA256.of(try Files.read(path)), use: .variables)
        #expect(try OpenedSecrets([secret], keys: fixtures.keys).variables == ["A": "1", "B": "x=y"])
        // Two secrets that set the same variable are a mistake.
        let error = try #require(throws: VoltError.self) {
            try OpenedSecrets([secret, secret], keys: fixtures.keys)
        }
        #expect(error.message.contains("is set by two secrets"))
        // A file that is not the one the container was made with.
        _ = try encrypted(Array("A=2\n".utf8), "app.env.age")
        let other = try #require(throws: VoltError.self) { try OpenedSecrets([secret], keys: fixtures.keys) }
        #expect(other.message.contains("is not the file any more"))
    }

    @Test("secrets that are too large together are refused before they are handed on")
    func large() throws {
        let path = "\(fixtures.scratch.path)/large.age"
        let sealed = try encrypted([UInt8](repeating: 65, count: 500 << 10), "large.age")
        let secret = Secret(
            file: "large.age", path: path, digest: SHA256.of(sealed),
            use: .file(.init(key: nil, target: "/x")))
        #expect(try OpenedSecrets([secret], keys: fixtures.keys).files.first?.bytes.count == 500 << 10)
        let error = try #require(throws: VoltError.self) {
            try OpenedSecrets([secret, secret], keys: fixtures.keys)
        }
        #expect(error.message.contains("larger than 900K"))
    }

    @Test("a damaged file is not taken for one of another key")
    func damaged() throws {
        var sealed = try encrypted(Array("secret".utf8), "x.age")
        sealed[sealed.count - 1] ^= 1
        let error = try #require(throws: VoltError.self) {
            try SecretFile.open(sealed, file: "x.age", keys: fixtures.keys)
        }
        #expect(error.message.contains("cannot be decrypted"))
        #expect(!error.message.contains("secret\""))
    }

    @Test("keys that are missing, or that others can read, are said with what to do")
    func keys() throws {
        let missing = AgeKeys(path: "\(fixtures.scratch.path)/none.txt")
        var error = try #require(throws: VoltError.self) { try missing.check() }
        #expect(error.code == .missing)
        #expect(error.hint?.contains("age-keygen -o \(missing.path)") == true)
        chmod(fixtures.keys.path, 0o640)
        error = try #require(throws: VoltError.self) { try fixtures.keys.check() }
        #expect(error.code == .refused)
        chmod(fixtures.keys.path, 0o600)
        symlink(fixtures.keys.path, missing.path)
        error = try #require(throws: VoltError.self) { try missing.check() }
        #expect(error.message.contains("not a plain file"))
    }

    @Test("a workload has keys of its own where there are some")
    func choice() throws {
        let directory = fixtures.scratch.path
        let web = try Name("web")
        #expect(AgeKeys.of(web, configuration: directory).path == "\(directory)/age/keys.txt")
        try Files.makeDirectory("\(directory)/age")
        try Files.replace("\(directory)/age/web.txt", with: [])
        #expect(AgeKeys.of(web, configuration: directory).path == "\(directory)/age/web.txt")
    }
}
