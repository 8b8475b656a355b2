import Testing
import VoltCore
import VoltSystem
import VoltSystemd
import VoltTestKit

@Suite struct StartupUnitTests {
    private let startup = StartupDescription(tool: "acme-vm", title: "Acme: machines", page: "docs/acme.md")

    @Test("the unit starts everything once, before what would deploy it, and needs nobody")
    func text() {
        let unit = StartupUnit(startup, executable: "/opt/a b/volt-acme-vm", root: "/srv/50%")
        let lines = unit.text.split(separator: "\n")
        for line in [
            "Before=volt-gitops.service", "Type=oneshot", "RemainAfterExit=yes", "WantedBy=multi-user.target",
            #"ExecStart="/opt/a b/volt-acme-vm" start --all"#, #"Environment="VOLT_ROOT=/srv/50%%""#,
        ] {
            #expect(lines.contains { $0 == line }, "\(line) in \(unit.text)")
        }
        #expect(!unit.text.contains("Requires=") && !unit.text.contains("PartOf="))
        #expect(!StartupUnit(startup, executable: "/bin/x", root: nil).text.contains("VOLT_ROOT"))
    }

    @Test("the unit is written to a directory, and named for the tool's metadata")
    func install() throws {
        let scratch = try ScratchDirectory()
        let unit = StartupUnit(startup, executable: "/bin/x", root: nil)
        let file = try unit.install(in: "\(scratch.path)/units")
        #expect(file == "\(scratch.path)/units/volt-acme-vm.service")
        #expect(try Files.read(file) == Array(unit.text.utf8))
        #expect(startup.units == ["volt-acme-vm.service"])
    }
}
