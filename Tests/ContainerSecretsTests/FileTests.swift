import Glibc
import Testing
import VoltCore
import VoltSystem
import VoltTestKit
import VoltWorkload

@testable import ContainerSecrets

/// The files that real programs have made, and their keys with the permissions that private keys need: Git
/// keeps none.
final class Fixtures {
    let scratch: ScratchDirectory
    let keys: AgeKeys

    init(_ name: String = "keys.txt") throws {
        scratch = try ScratchDirectory()
        let path = "\(scratch.path)/keys.txt"
        try Files.replace(path, with: try Self.bytes(name), mode: 0o600)
        keys = AgeKeys(path: path)
    }

    static func bytes(_ name: String) throws -> [UInt8] {
        try Files.read("\(Golden.root())/Tests/ContainerSecretsTests/Fixtures/\(name)")
    }

    func open(_ name: String, changing: (String) -> String = { $0 }) throws -> SecretContent {
        let text = changing(String(decoding: try Self.bytes(name), as: UTF8.self))
        return try SecretFile.open(Array(text.utf8), file: name, keys: keys)
    }

    /// What the secrets of a container come to.
    func secrets(_ name: String, _ use: SecretReference.Use) throws -> OpenedSecrets {
        let bytes = try Self.bytes(name)
        let path = "\(scratch.path)/\(name)"
        try Files.replace(path, with: bytes)
        return try OpenedSecrets(
            [Secret(file: name, path: path, digest: SHA256.of(bytes), use: use)], keys: keys)
    }

    func value(_ name: String, _ key: String) throws -> String? {
        try secrets(name, .chosen(["X": key])).variables["X"]
    }
}

@Suite(.timeLimit(.minutes(1))) struct FileTests {
    @Test("a dotenv file of the real sops: every key is a variable, line breaks and UTF-8 included")
    func dotenv() throws {
        let opened = try Fixtures().secrets("app.env", .variables)
        #expect(
            opened.variables == [
                "DATABASE_URL": "postgres://web:s3cret@db/web", "EMPTY": "", "BANNER": "first\nsecond",
                "REGION_unencrypted": "eu-1", "GREETING": "gr\u{fc}\u{df}e = \"quoted\"",
            ])
    }

    @Test(
        "a YAML file of the real sops: values of every type by the keys that lead to them",
        arguments: [
            ("database.url", "postgres://web:s3cret@db/web"), ("database.port", "5432"),
            ("database.ratio", "1.5"), ("database.replicas.0", "one"), ("database.replicas.1", "2"),
            ("database.replicas.2", "false"), ("database.replicas.3.host", "three"),
            ("database.replicas.3.tags.1", "1000"), ("database.on", "true"), ("database.none", ""),
            ("database.empty", ""), ("dotted.key", "between"), ("certificate", "line one\nline two\n"),
            ("level_unencrypted", "3.1"),
        ])
    func yaml(key: String, value: String) throws {
        #expect(try Fixtures().value("app.yaml", key) == value)
    }

    @Test("a JSON file and a binary file of the real sops")
    func others() throws {
        let fixtures = try Fixtures()
        #expect(try fixtures.value("app.json", "token") == "b\u{e9}\n\"q\"")
        #expect(try fixtures.value("app.json", "ratio") == "1")
        #expect(try fixtures.value("app.json", "o.k") == "v")
        guard case .bytes(let bytes) = try fixtures.open("image.bin") else {
            Issue.record("a binary file has no bytes")
            return
        }
        #expect(bytes == Array(0...255))
    }

    @Test("the whole file is what it was before: YAML, JSON and dotenv are written again")
    func whole() throws {
        let fixtures = try Fixtures()
        func text(_ name: String) throws -> String {
            let opened = try fixtures.secrets(name, .file(.init(key: nil, target: "/x")))
            return String(decoding: try #require(opened.files.first).bytes, as: UTF8.self)
        }
        #expect(
            try text("app.json") == #"{"token":"b\u{e9}\u000a\"q\"","ratio":1,"list":[1,"x",null,true],"#
                .replacing("\\u{e9}", with: "\u{e9}")
                + #""o":{"k":"v"},"n_unencrypted":12.5,"b_unencrypted":true}"# + "\n")
        #expect(try text("app.env").contains("BANNER=first\\nsecond\n"))
        let yaml = try text("app.yaml")
        #expect(yaml.contains("port: 5432\n"))
        #expect(!yaml.contains("ENC["))
    }

    @Test("rules for what is encrypted, and a code over the encrypted values only")
    func rules() throws {
        let fixtures = try Fixtures()
        #expect(try fixtures.value("partial.yaml", "nested.password") == "again")
        #expect(try fixtures.value("partial.yaml", "nested.port") == "80")
        #expect(try fixtures.value("regex.yaml", "image") == "nginx")
        // What the code does not cover may change, as with sops itself.
        #expect(throws: Never.self) {
            try fixtures.open("partial.yaml") { $0.replacing("image: nginx", with: "image: other") }
        }
    }

    @Test("an SSH key is an identity, too")
    func ssh() throws {
        #expect(try Fixtures("ssh_key").value("ssh.env", "DATABASE_URL") == "postgres://web:s3cret@db/web")
    }

    @Test(
        "what was changed after the encryption is refused, and no value is in the error",
        arguments: [
            ("app.yaml", "level_unencrypted: 3.1", "level_unencrypted: 3.2", "code differs"),
            ("app.yaml", "    \"on\": ", "    \"off\": ", "does not decrypt"),
            ("app.yaml", "debug_unencrypted: false\n", "", "code differs"),
            ("app.yaml", "type:int]", "type:long]", "not a value that SOPS has encrypted"),
            ("app.env", "EMPTY=", "EMPTY=more", "code differs"),
            ("app.env", "REGION_unencrypted=eu-1\n", "", "code differs"),
            ("app.env", "DATABASE_URL=ENC", "DATABASE=ENC", "does not decrypt"),
            ("app.env", "sops_lastmodified=20", "sops_lastmodified=19", "cannot be read"),
            ("app.env", "sops_mac=", "sops_nomac=", "no 'mac'"),
            ("partial.yaml", "mac_only_encrypted: true", "mac_only_encrypted: false", "code differs"),
        ])
    func changed(file: String, before: String, after: String, reason: String) throws {
        let fixtures = try Fixtures()
        let error = try #require(throws: VoltError.self) {
            try fixtures.open(file) { text in
                #expect(text.contains(before))
                return text.replacing(before, with: after)
            }
        }
        #expect(error.message.contains(reason), "\(error.message)")
        #expect(!error.message.contains("s3cret"))
    }

    @Test("two values that change places are noticed: each is bound to its key")
    func swapped() throws {
        let fixtures = try Fixtures()
        let error = try #require(throws: VoltError.self) {
            try fixtures.open("app.env") { text in
                var lines = text.split(separator: "\n").map(String.init)
                let first = lines[0].dropFirst("DATABASE_URL=".count)
                let second = lines[2].dropFirst("BANNER=".count)
                lines[0] = "DATABASE_URL=\(second)"
                lines[2] = "BANNER=\(first)"
                return lines.joined(separator: "\n") + "\n"
            }
        }
        #expect(error.message.contains("does not decrypt"))
    }

    @Test("files that cannot be read say why, and what to do", arguments: ["groups.env", "groups.json"])
    func groups(file: String) throws {
        let fixtures = try Fixtures()
        let error = try #require(throws: VoltError.self) { try fixtures.open(file) }
        #expect(error.message.contains("key groups"))
    }

    @Test("a file for other keys names its recipients and how to add this host")
    func foreign() throws {
        let fixtures = try Fixtures()
        let error = try #require(throws: VoltError.self) { try fixtures.open("foreign.env") }
        #expect(error.message.contains("is encrypted for age1"))
        #expect(error.hint?.contains("sops rotate --in-place --add-age") == true)
    }

    @Test(
        "a file that is not encrypted is refused",
        arguments: [
            ("a.env", "TOKEN=plain\n"), ("a.yaml", "token: plain\n"), ("a.json", #"{"token":"plain"}"#),
            ("a.yaml", "- plain\n"),
        ])
    func plain(file: String, text: String) throws {
        let keys = try Fixtures().keys
        let error = try #require(throws: VoltError.self) {
            try SecretFile.open(Array(text.utf8), file: file, keys: keys)
        }
        #expect(error.message.contains("is not encrypted"))
        #expect(!error.message.contains("plain"))
    }

    @Test("INI and TOML are refused by name", arguments: ["a.ini", "a.toml"])
    func formats(file: String) throws {
        let keys = try Fixtures().keys
        let error = try #require(throws: VoltError.self) {
            try SecretFile.open([], file: file, keys: keys)
        }
        #expect(error.message.contains("are not read"))
    }

    @Test(
        "a number without its exponent, as it is hashed",
        arguments: [
            (1e21, "1000000000000000000000"), (1.2e-05, "0.000012"), (3.1, "3.1"), (-0.5, "-0.5"), (12, "12"),
            (1.5e300 / 1e284, "15000000000000000"), (0, "0"), (123456.789, "123456.789"),
            (1e16, "10000000000000000"),
            (-2.5e-7, "-0.00000025"),
        ])
    func numbers(value: Double, text: String) { #expect(SOPSNumber.text(value) == text) }
}
