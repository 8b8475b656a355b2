import Testing
import VoltCore
import VoltSystem
import VoltTestKit

@testable import VoltSystemd

/// A service whose name has two words.
private let service = ServiceDescription(
    tool: "acme-store", title: "Acme: a store", socketTitle: "Acme: the port", defaultPort: 7070,
    defaultAddress: "127.0.0.1", profile: .server, page: "docs/acme.md", readsEnvironmentFile: true)

@Suite struct ServiceUnitTests {
    private func unit(
        _ description: ServiceDescription = service, root: String? = nil,
        _ change: (inout ServiceUnit.Settings) -> Void = { _ in }
    ) throws -> ServiceUnit {
        var settings = ServiceUnit.Settings()
        change(&settings)
        let paths = try HostPaths(
            tool: description.tool, environment: root.map { ["VOLT_ROOT": $0] } ?? [:], isRoot: true)
        return ServiceUnit(
            description, executable: "/usr/bin/volt-\(description.tool)", root: root, paths: paths,
            settings: settings)
    }

    @Test("names and the variable of the port come from the name of the tool")
    func names() {
        #expect(service.units == ["volt-acme-store.service", "volt-acme-store.socket"])
        #expect(service.portVariable == "VOLT_ACME_STORE_PORT")
    }

    @Test("the unit of a deployer is the one that the version before wrote")
    func deployer() throws {
        let gitops = ServiceDescription(
            tool: "gitops", title: "Volt GitOps: webhooks, polls and deploys",
            socketTitle: "Volt GitOps: the port of the webhooks", defaultPort: 9090, profile: .deployer,
            page: "docs/gitops-operations.md")
        let text = try unit(gitops) {
            $0.port = 9191
            $0.hasSocket = true
        }.text
        let before = """
            # Written by 'volt gitops install-service'; change it with 'volt service edit volt-gitops'.
            [Unit]
            Description=Volt GitOps: webhooks, polls and deploys
            Documentation=man:volt-gitops(1)
            After=network-online.target
            Wants=network-online.target
            # However often it is restarted, it is started again: a limit would close the socket for good.
            StartLimitIntervalSec=0
            Requires=volt-gitops.socket
            After=volt-gitops.socket

            [Service]
            Type=notify
            TimeoutStartSec=10min
            WatchdogSec=60s
            ExecStart=/usr/bin/volt-gitops serve
            ExecReload=/bin/kill -HUP $MAINPID
            Environment=VOLT_GITOPS_PORT=9191
            Restart=on-failure
            RestartSec=2s
            KillMode=mixed
            TimeoutStopSec=60s
            OOMPolicy=continue

            # What it may not do; see docs/gitops-operations.md before you take any of it out.
            PrivateTmp=yes
            ProtectSystem=full
            ProtectHome=read-only

            """
        #expect(text.hasPrefix(before), "\(text)")
        #expect(text.hasSuffix("CAP_WAKE_ALARM\n\n[Install]\nWantedBy=multi-user.target\n"))
    }

    @Test(
        "a strict service may write to its own directories and those that are named, and has its variables in a file"
    )
    func strict() throws {
        let text = try unit { $0.writablePaths = ["/srv/a store"] }.text
        #expect(text.contains("\nProtectSystem=strict\n"))
        #expect(text.contains("\nStateDirectory=volt/acme-store\n"))
        #expect(text.contains("\nReadWritePaths=\"/srv/a store\"\n"))
        #expect(text.contains("\nEnvironmentFile=-/etc/volt/acme-store.env\n"))
        #expect(text.contains("\nPrivateTmp=yes\n"))
        let other = try unit(root: "/tmp/other").text
        #expect(!other.contains("StateDirectory=") && !other.contains("PrivateTmp=yes"))
        #expect(other.contains("\nReadWritePaths=/tmp/other/lib/acme-store\n"))
        #expect(other.contains("\nReadWritePaths=/tmp/other/run/acme-store\n"))
    }

    @Test(
        "a socket listens on the address of the server",
        arguments: [
            (nil, "ListenStream=7070"), ("127.0.0.1", "ListenStream=127.0.0.1:7070"),
            ("::1", "ListenStream=[::1]:7070"),
        ])
    func socket(address: String?, line: String) throws {
        let text = try unit { $0.address = address }.socketText
        #expect(text.contains("\n\(line)\n"), "\(text)")
    }

    @Test(
        "words of a command are read back as they were, whatever is in them",
        arguments: [
            ["plain", "--option=1"], ["with space", "tab\there"], ["$HOME", "100%", "a\"b", "c\\d"],
            ["", "#no", ";", "'single'"], ["ä€😀"],
        ])
    func words(words: [String]) {
        let line = words.map { UnitWords.quoted($0) }.joined(separator: " ")
        #expect(UnitWords.split(line) == words, "\(line)")
    }

    @Test(
        "what an administrator wrote in another way is not taken for options",
        arguments: ["a $VAR", "%h/x", "\"open", "a\\x20b"])
    func foreignWords(line: String) { #expect(UnitWords.split(line) == nil) }

    @Test("units that are there keep port, socket and options")
    func installed() throws {
        let scratch = try ScratchDirectory()
        let directory = "\(scratch.path)/units"
        let before = InstalledUnits(service, in: directory)
        #expect(before.port == nil && !before.hasSocket && before.arguments == [])
        let made = try unit {
            $0.port = 7171
            $0.hasSocket = true
            $0.arguments = ["--policy", "/etc/a policy.yaml"]
        }
        #expect(
            try made.install(in: directory) == [
                "\(directory)/volt-acme-store.socket", "\(directory)/volt-acme-store.service",
            ])
        #expect(before.port == 7171 && before.hasSocket)
        #expect(before.arguments == ["--policy", "/etc/a policy.yaml"])
        // As 'systemctl edit' or 'volt service edit' writes it.
        try Files.makeDirectory("\(directory)/volt-acme-store.socket.d")
        try Files.replace(
            "\(directory)/volt-acme-store.socket.d/override.conf",
            with: "[Socket]\nListenStream=\nListenStream=127.0.0.1:7272\n".utf8)
        #expect(before.port == 7272)
        #expect(
            try unit { $0.port = 7272 }.install(in: directory) == ["\(directory)/volt-acme-store.service"])
        #expect(!before.hasSocket)
    }
}

@Suite struct UnitNameTests {
    @Test(
        "services, sockets and timers have names, and nothing else",
        arguments: [
            ("volt-gitops.service", true), ("acme.socket", true), ("a_b-c.d.timer", true),
            (".service", false),
            ("acme", false), ("acme.mount", false), ("a/b.service", false), ("a b.service", false),
            ("-a.service", false), ("a@b.service", false), ("ä.service", false),
        ])
    func valid(name: String, expected: Bool) { #expect(UnitName.isValid(name) == expected) }
}
