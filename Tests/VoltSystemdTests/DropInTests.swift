import Testing
import VoltCore

@testable import VoltSystemd

@Suite struct DropInTests {
    private func setting(_ text: String) throws -> DropIn.Setting {
        try DropIn.Setting(parsing: text, section: "Service")
    }

    @Test("a setting is added, changed in its place and taken out, and comments stay")
    func cycle() throws {
        var dropIn = DropIn("# ours\n[Service]\nNice=5\n\n[Unit]\nDescription=a\n")
        dropIn.set(try setting("MemoryMax=1G"))
        #expect(dropIn.text == "# ours\n[Service]\nNice=5\nMemoryMax=1G\n\n[Unit]\nDescription=a\n")
        dropIn.set(try setting("Nice=7"))
        #expect(dropIn.text == "# ours\n[Service]\nNice=7\nMemoryMax=1G\n\n[Unit]\nDescription=a\n")
        dropIn.set(try setting("Unit.Description=b = c"))
        #expect(dropIn.text == "# ours\n[Service]\nNice=7\nMemoryMax=1G\n\n[Unit]\nDescription=b = c\n")
        for name in ["Nice", "MemoryMax"] {
            dropIn.set(try DropIn.Setting(name: name, value: nil, section: "Service"))
        }
        #expect(dropIn.text == "# ours\n\n[Unit]\nDescription=b = c\n")
        dropIn.set(try DropIn.Setting(name: "Unit.Description", value: nil, section: "Service"))
        #expect(dropIn.text.isEmpty, "a drop-in without a setting is none")
    }

    @Test("a list replaces that of the unit, however often it is set")
    func lists() throws {
        var dropIn = DropIn("")
        for port in ["9191", "9292"] {
            dropIn.set(DropIn.Setting(section: "Socket", key: "ListenStream", value: port))
        }
        #expect(dropIn.text == "[Socket]\nListenStream=\nListenStream=9292\n")
    }

    @Test("of the variables only the one that is named changes")
    func variables() throws {
        var dropIn = DropIn("[Service]\nEnvironment=\"A=1 2\"\nEnvironment=B=2\n")
        dropIn.set(try setting("Environment=A=3"))
        #expect(dropIn.text == "[Service]\nEnvironment=A=3\nEnvironment=B=2\n")
    }

    @Test(
        "what is no setting is refused as wrong usage",
        arguments: ["MemoryMax", "=1", "A.B.C=1", "Memory Max=1", "Nice=1\nExecStart=/bin/true", "A=b\\"])
    func refused(text: String) {
        let error = #expect(throws: VoltError.self) { try setting(text) }
        #expect(error?.code == .usage)
    }
}

@Suite struct UnitStateTests {
    @Test("the blocks of systemctl show become units")
    func parse() {
        let text = """
            MainPID=412
            NRestarts=2
            Result=success
            ExecStart={ path=/usr/local/bin/volt-gitops ; argv[]=/usr/local/bin/volt-gitops serve ; }
            MemoryCurrent=18874368
            Id=volt-gitops.service
            Description=Volt GitOps: webhooks, polls and deploys
            LoadState=loaded
            ActiveState=active
            SubState=running
            FragmentPath=/etc/systemd/system/volt-gitops.service
            DropInPaths=/etc/systemd/system/volt-gitops.service.d/a.conf /run/b.conf
            UnitFileState=enabled
            StateChangeTimestamp=@1752500000
            NeedDaemonReload=no
            Transient=no

            MainPID=0
            MemoryCurrent=[not set]
            Id=volt-gitops.socket
            LoadState=loaded
            ActiveState=inactive
            SubState=dead
            Listen=[::]:9090 (Stream)
            Listen=/run/x (Stream)
            StatusText=listening on http://0.0.0.0:9090
            StateChangeTimestamp=

            """
        let units = UnitState.parse(
            text.split(separator: "\n", omittingEmptySubsequences: false).map(String.init))
        #expect(units.map(\.name) == ["volt-gitops.service", "volt-gitops.socket"])
        #expect(units[0].pid == 412)
        #expect(units[0].word == "running")
        #expect(units[0].since == Timestamp(milliseconds: 1_752_500_000_000))
        #expect(units[0].dropIns == ["/etc/systemd/system/volt-gitops.service.d/a.conf", "/run/b.conf"])
        #expect(units[0].memory == 18_874_368)
        #expect(units[1].pid == nil)
        #expect(units[1].memory == nil)
        #expect(units[1].since == nil)
        #expect(units[1].word == "stopped")
        #expect(units[1].status == "listening on http://0.0.0.0:9090")
        #expect(units[1].listens == "[::]:9090 (Stream), /run/x (Stream)")
    }
}
