import Testing
import VoltCore
import VoltSystem
import VoltTestKit

private let isCapable =
    HostPaths.runsAsRoot && Files.exists("/usr/bin/systemd-nspawn") && Files.exists("/usr/bin/mmdebstrap")

/// The machine of the tests has the processor of this one, and is made of Debian's packages for it.
#if arch(x86_64)
    private let hasMachine = Files.exists("/usr/bin/qemu-system-x86_64")
#else
    private let hasMachine = false
#endif

/// The root of the repository.
private let root = Files.parent(of: Files.parent(of: Files.parent(of: #filePath)))

@Suite(
    .serialized, .enabled(if: isCapable, "needs root, systemd-nspawn and mmdebstrap"),
    .timeLimit(.minutes(10))
)
struct OperationsTests {
    /// Runs a script on a host whose PID 1 is systemd and gives its points.
    private func points(_ script: String) throws -> [Substring] {
        let scratch = try ScratchDirectory()
        var run = ToolRunner(scratch: scratch.path)
        // The toolchain's runtime is found through swift on PATH.
        run.environment["PATH"] = Environment.current["PATH"]
        let result = try run("\(root)/scripts/test-on-systemd", ToolRunner.products, script)
        #expect(result.status == 0, "\(result.stdout)\n\(result.stderr)")
        return result.stdout.split(separator: "\n").filter { $0.hasPrefix("ok: ") }
    }

    @Test("on a host with systemd volt service lists, edits and restarts what Volt keeps running")
    func service() throws {
        #expect(try points("service-on-systemd").count == 14)
    }

    @Test(
        "the hardened unit of the registry takes pushes and pulls, and loses no request while it is restarted"
    )
    func registry() throws {
        #expect(try points("registry-on-systemd").count == 8)
    }

    @Test("on a host with systemd a container reaches nothing of the host through what enters it")
    func enter() throws {
        #expect(try points("enter-on-systemd").count == 4)
    }

    @Test("the hardened unit builds and deploys, and loses no delivery while it is restarted and reloaded")
    func unit() throws {
        #expect(try points("unit-on-systemd").count == 8)
    }

    @Test("on a host with systemd the limits of containers hold in the foreground too, and no device opens")
    func containers() throws {
        #expect(try points("containers-on-systemd").count == 11)
    }

    @Test(
        "in a virtual machine with control groups of version 2 alone limits hold, and no device opens",
        .enabled(if: hasMachine, "needs qemu-system-x86, on x86"))
    func unifiedGroups() throws {
        let scratch = try ScratchDirectory()
        var run = ToolRunner(scratch: scratch.path)
        run.environment["PATH"] = Environment.current["PATH"]
        let result = try run("\(root)/scripts/test-on-vm", ToolRunner.products)
        #expect(result.status == 0, "\(result.stdout)\n\(result.stderr)")
        #expect(result.stdout.split(separator: "\n").filter { $0.hasPrefix("ok: ") }.count == 11)
    }

    @Test("after a reboot every workload runs again at its last good commit, and what was stopped stays so")
    func reboot() throws { #expect(try pointsOfReboot().count == 3) }

    @Test(
        "after a reboot the unit of containers starts what should run in the order of 'after', without gitops"
    )
    func start() throws { #expect(try pointsOfReboot("start").count == 6) }

    /// Restarts a host between two runs of a script and gives its points.
    private func pointsOfReboot(_ script: String...) throws -> [Substring] {
        let scratch = try ScratchDirectory()
        var run = ToolRunner(scratch: scratch.path)
        run.environment["PATH"] = Environment.current["PATH"]
        run.environment["TMPDIR"] = scratch.path
        let result = try run.run(
            ["\(root)/scripts/test-reboot-on-systemd", ToolRunner.products] + script)
        #expect(result.status == 0, "\(result.stdout)\n\(result.stderr)")
        return result.stdout.split(separator: "\n").filter { $0.hasPrefix("ok: ") }
    }
}
