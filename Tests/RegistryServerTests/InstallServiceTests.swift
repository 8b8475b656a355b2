import Testing
import VoltSystem
import VoltTestKit

/// scripts/registry-on-systemd runs the unit on a host whose PID 1 is systemd.
@Suite struct InstallServiceTests {
    @Test(
        "install-service writes a hardened unit with the options of serve, and keeps them when it is run again"
    )
    func options() throws {
        let scratch = try ScratchDirectory()
        let run = ToolRunner(scratch: scratch.path)
        let directory = "\(scratch.path)/root/etc/systemd/system"
        func text(_ unit: String) throws -> String {
            String(decoding: try Files.read("\(directory)/volt-registry.\(unit)"), as: UTF8.self)
        }
        try Files.replace("\(scratch.path)/policy.yaml", with: "version: 1\nrules: []\n".utf8)
        let options = ["--policy", "\(scratch.path)/policy.yaml", "--store", "\(scratch.path)/a store"]
        let made = try run.run(
            ["volt-registry", "install-service", "--port", "5151", "--socket", "--"] + options)
        #expect(made.status == 0, "\(made.stderr)")
        let command =
            "serve --policy \(scratch.path)/policy.yaml --store \"\(scratch.path)/a store\"\n"
        #expect(try text("service").contains(command))
        #expect(try text("service").contains("\nReadWritePaths=\"\(scratch.path)/a store\"\n"))
        #expect(try text("service").contains("\nEnvironmentFile=-\(scratch.path)/root/etc/registry.env\n"))
        #expect(try text("socket").contains("\nListenStream=127.0.0.1:5151\n"))
        #expect(
            Files.isDirectory("\(scratch.path)/a store"),
            "systemd starts no unit whose directory is not there")
        #expect(try run("volt-registry", "install-service").status == 0)
        #expect(try text("service").contains(command))
        #expect(try run("volt-registry", "install-service", "--reset", "--no-socket").status == 0)
        #expect(try text("service").contains("volt-registry serve\n"))
        #expect(!Files.exists("\(directory)/volt-registry.socket"))
    }

    @Test(
        "options that the server would refuse are refused now",
        arguments: [
            (["--frob"], 64, "Unknown option '--frob'"), (["--port", "1"], 64, "give --port before '--'"),
            (["--store", "here"], 64, "'here' is not an absolute path"),
            (["--policy", "/nowhere/policy.yaml"], 3, "there is no file '/nowhere/policy.yaml'"),
            (["--listen", "localhost"], 64, "'localhost' is not an address that systemd can listen on"),
            (["--tls-cert", "/etc/hostname"], 64, "--tls-cert and --tls-key are given together"),
        ])
    func refused(options: [String], status: Int32, reason: String) throws {
        let scratch = try ScratchDirectory()
        let run = ToolRunner(scratch: scratch.path)
        let result = try run.run(["volt-registry", "install-service", "--socket", "--"] + options)
        #expect(result.status == status && result.stderr.contains(reason), "\(result.stderr)")
        #expect(!Files.exists("\(scratch.path)/root/etc/systemd/system/volt-registry.service"))
    }

    @Test(
        "a server without any capability answers",
        .enabled(if: HostPaths.runsAsRoot, "needs root, to give up its capabilities"))
    func withoutCapabilities() throws {
        let scratch = try ScratchDirectory()
        let run = ToolRunner(scratch: scratch.path)
        let result = try run(
            "sh", "-c",
            """
            setpriv --inh-caps=-all --bounding-set=-all volt-registry serve --port 0 2>said & server=$!
            for i in $(seq 200); do grep -q listening said && break; sleep 0.05; done
            curl -sS --max-time 10 "$(sed -n 's/.*listening on \\([^,]*\\),.*/\\1/p' said)/healthz"
            kill $server; wait $server
            """)
        #expect(result.status == 0 && result.stdout == "ok\n", "\(result.stderr)")
    }
}
