import ContainerSandbox
import Testing
import VoltCore
import VoltSandbox
import VoltSupervise
import VoltSystem
import VoltTestKit
import VoltWorkload

@testable import ContainerEngine

@Suite struct ValueTests {
    private func spec() throws -> ContainerSpec {
        ContainerSpec(
            name: try Name("web"), image: "busybox", lowers: ["/l/1", "/l/0"], command: ["/bin/true"])
    }

    @Test("the command line of nspawn is a function of the container alone")
    func argv() throws {
        var spec = try spec()
        spec.readOnly = true
        spec.hostname = "web-1"
        spec.mounts = [
            .init(source: "data", isVolume: true, target: "/a:b\\c", readOnly: false),
            .init(source: "/etc", isVolume: false, target: "/etc", readOnly: true),
        ]
        let argv = NspawnCommand(spec: spec).argv(nspawn: "/usr/bin/systemd-nspawn") { $0 == "/proc/kcore" }
        #expect(
            argv == [
                "/usr/bin/systemd-nspawn", "--quiet", "--keep-unit", "--register=no", "--console=pipe",
                "--kill-signal=SIGTERM", "--resolv-conf=off", "--timezone=off", "--link-journal=no",
                "--machine=web",
                "--hostname=web-1", "--directory=/run/root", "--bind-ro=/dev/null:/proc/kcore",
                "--bind=/run/m/1:/a\\:b\\\\c", "--bind-ro=/run/m/2:/etc",
                "--read-only",
            ])
    }

    @Test("no value of the environment is in the command line, and all are in the shim's settings")
    func environment() throws {
        var spec = try spec()
        spec.environment = ["TOKEN": "hunter2\nsecond line", "PATH": "/x"]
        let command = NspawnCommand(spec: spec)
        #expect(!command.argv(nspawn: "n", isThere: { _ in true }).joined().contains("hunter2"))
        #expect(
            try command.shimSettings().confinement.environment == ["PATH=/x", "TOKEN=hunter2\nsecond line"])
        spec.environment["BAD"] = "a\0b"
        #expect(throws: VoltError.self) { try NspawnCommand(spec: spec).shimSettings().encoded() }
    }

    @Test("settings survive their encoding, and damaged bytes never decode to something else")
    func settings() throws {
        var settings = Settings()
        settings.add("arg", all: ["a", "", "b=c", "ü\n"])
        let bytes = try settings.encoded()
        #expect(try Settings(decoding: bytes) == settings)
        for length in 0..<bytes.count where bytes[..<length].last != 0 {
            #expect(throws: VoltError.self) { try Settings(decoding: Array(bytes[..<length])) }
        }
        var generator = SystemRandomNumberGenerator()
        for _ in 0..<2000 {
            let noise = (0..<Int.random(in: 0...64, using: &generator)).map { _ in
                UInt8.random(in: 0...255, using: &generator)
            }
            _ = try? Settings(decoding: Array("volt-settings 1\0".utf8) + noise)
            #expect(throws: VoltError.self) { try Settings(decoding: noise) }
        }
    }

    @Test(
        "the settings of the version before are read, and written with the same records",
        arguments: ["old", "live"])
    func settingsOfBefore(name: String) throws {
        let fixture = "\(Golden.root())/Tests/ContainerRuntimeTests/Fixtures/8cc8455/\(name)"
        func bytes(_ file: String) throws -> [UInt8] {
            try Files.read("\(fixture)/\(file)").map { $0 == 10 ? 0 : $0 }
        }
        func records(_ bytes: [UInt8]) throws -> [String] {
            try Settings(decoding: bytes).records.map { "\($0.key)=\($0.value)" }
        }
        let run = try RunSettings(decoding: try bytes("run"))
        #expect(try records(run.encoded()).sorted() == records(bytes("run")).sorted())
        #expect(run.supervise.restart == (name == "live" ? .always : .no))
        let told = try InitSettings(decoding: try bytes("init"))
        #expect(try records(told.encoded()) == records(bytes("init")))
    }

    @Test("a status record has one size, whatever its message")
    func status() throws {
        for message in ["", "it's gone", String(repeating: "ü", count: 2000), "a\nb"] {
            let status = PayloadStatus(
                phase: .failed, code: 127, health: .unhealthy, failures: 3, started: 5, message: message)
            #expect(status.encoded.count == PayloadStatus.size)
            let back = try #require(PayloadStatus(decoding: status.encoded))
            #expect(back.code == 127)
            #expect(back.phase == .failed)
            #expect(back.health == .unhealthy)
        }
        #expect(PayloadStatus(decoding: []) == nil)
        #expect(PayloadStatus(decoding: [UInt8](repeating: 32, count: PayloadStatus.size)) == nil)
    }

    @Test(
        "users are looked up as in 'docker run --user'",
        arguments: [
            ("", 0, 0, "/root", []), ("app", 1000, 1001, "/home/app", [44]),
            ("1000", 1000, 1001, "/home/app", [44]),
            ("4711", 4711, 0, "/", []), ("app:extra", 1000, 44, "/home/app", []),
            ("4711:12", 4711, 12, "/", []),
        ] as [(String, UInt32, UInt32, String, [UInt32])])
    func users(text: String, user: UInt32, group: UInt32, home: String, groups: [UInt32]) throws {
        let passwd = Array("root:x:0:0::/root:/bin/sh\nbroken\napp:x:1000:1001::/home/app:/bin/sh\n".utf8)
        let found = try PayloadUser(
            text, passwd: passwd, groupFile: Array("root:x:0:\nextra:x:44:app,other\n".utf8))
        #expect(found.user == user)
        #expect(found.group == group)
        #expect(found.home == home)
        #expect(found.groups == groups)
    }

    @Test("a user or group that the image does not have is an error")
    func unknownUsers() {
        for text in ["nobody", "0:nobody", "-1"] {
            #expect(throws: VoltError.self) { try PayloadUser(text, passwd: [], groupFile: []) }
        }
    }

    @Test(
        "no number that the kernel or a program takes for another one becomes a user or group",
        arguments: [
            "4294967295", "2147483648", "4294967296", "18446744073709551616", "-1", "-0", "+5", "0x10",
            "0xffffffff", "0:4294967295", "0:-1", "0:2147483648", "evil", "0:evil", "late", "member",
            "signed",
        ])
    func refusedNumbers(text: String) {
        let passwd = """
            evil:x:4294967295:4294967295::/:/bin/sh
            late:x:1:2147483648::/:/bin/sh
            member:x:5:5::/:/bin/sh
            signed:x:-1:0::/:/bin/sh
            -1:x:0:0::/:/bin/sh
            +5:x:0:0::/:/bin/sh
            4294967295:x:0:0::/:/bin/sh

            """
        #expect(throws: VoltError.self) {
            try PayloadUser(
                text, passwd: Array(passwd.utf8),
                groupFile: Array("evil:x:4294967295:\nmany:x:4294967295:member\n".utf8))
        }
    }

    @Test("the largest number and zeros before a number are taken, as a name that begins with a digit is")
    func takenNumbers() throws {
        let passwd = Array("0x10:x:7:7::/:/bin/sh\n".utf8)
        for (text, user) in [("2147483647", 2_147_483_647), ("007", 7), ("00", 0), ("0x10", 7)]
            as [(String, UInt32)]
        {
            #expect(try PayloadUser(text, passwd: passwd, groupFile: []).user == user)
        }
    }

    @Test("the standard capabilities are Docker's, and names are taken and given")
    func capabilities() throws {
        #expect(Capabilities.standard == 0xa804_25fb)
        #expect(try Capabilities.effective(drop: ["ALL"], add: ["CAP_NET_BIND_SERVICE"]) == 1 << 10)
        #expect(throws: VoltError.self) { try Capabilities.parse(["everything"]) }
    }
}
