import FoundationEssentials
import Glibc
import Synchronization
import Testing
import VoltCore
import VoltPorts
import VoltSystem
import VoltTestKit
import VoltWorkload

@Suite final class PortTests {
    private let scratch: ScratchDirectory
    private let paths: HostPaths
    private let started = Started()

    /// The port processes that a test has started.
    private final class Started: Sendable {
        private let list = Mutex<[Int32]>([])
        var processes: [Int32] { list.withLock { $0 } }
        func append(_ process: Int32) { list.withLock { $0.append(process) } }
    }

    init() throws {
        scratch = try ScratchDirectory()
        paths = try HostPaths(tool: "container", environment: ["VOLT_ROOT": "\(scratch.path)/root"])
    }

    deinit { for process in started.processes { kill(process, SIGKILL) } }

    private var earlier: String { "\(paths.runtime)/ports" }

    private func table(_ tool: String = "container") -> PortTable {
        let started = started
        return PortTable(paths: paths, tool: tool, earlier: tool == "container" ? earlier : nil) {
            _, socket in
            started.append(
                try Processes.spawnDetached(
                    "\(ToolRunner.products)/volt-container--port", [socket], environment: [:]))
        }
    }

    private func port(_ host: UInt16) -> [PublishedPort] {
        [PublishedPort(address: "127.0.0.1", hostPort: host, containerPort: 1)]
    }

    private func accepts(_ port: UInt16) -> Bool { (try? HTTPClient(port: port, timeoutSeconds: 2)) != nil }

    private let here = "/proc/self/ns/net"

    @Test(
        "requests are what earlier versions wrote, and one of a newer version is refused with both versions")
    func bytes() throws {
        let old = Array(
            "volt-settings 1\0verb=set\0port=0.0.0.0|80|8080\0container=web-1\0netns=/proc/7/ns/net\0".utf8)
        let owner = PortOwner(
            ports: [PublishedPort(hostPort: 80, containerPort: 8080)], instance: "web-1", tool: "container")
        #expect(try PortRequest(decoding: old) == .set(owner, namespace: "/proc/7/ns/net"))
        for request in [
            PortRequest.set(owner, namespace: "/n"), .status, .busy(namespace: "/n"), .version, .quit,
        ] { #expect(try PortRequest(decoding: try request.encoded()) == request) }
        // What an earlier port process reads is among the keys, and it reads no others.
        let settings = try Settings(decoding: try PortRequest.set(owner, namespace: "/n").encoded())
        #expect(settings.all("verb") == ["set"] && settings.all("port") == ["0.0.0.0|80|8080"])
        do {
            _ = try PortRequest(decoding: Array("volt-settings 1\0version=9\0verb=status\0".utf8))
            Issue.record("it was taken")
        } catch {
            #expect(error.code == .refused)
            #expect(error.message.contains("version 2") && error.message.contains("version 9"))
        }
        for noise in ["", "volt-settings 1\0", "volt-settings 1\0verb=fly\0", "volt-settings 1\0version=x\0"]
        {
            #expect(throws: VoltError.self) { try PortRequest(decoding: Array(noise.utf8)) }
        }
    }

    @Test("the sockets are in the directory of the host, which nobody else enters")
    func place() throws {
        let number = LoopbackPort.free()
        try table().point("web", port(number), to: "web-1", namespace: here)
        #expect(accepts(number))
        #expect(try Files.list("\(scratch.path)/root/run/ports").sorted() == ["web", "web.settings"])
        var information = stat()
        #expect(stat("\(scratch.path)/root/run/ports", &information) == 0)
        #expect(information.st_mode & 0o777 == 0o700)
        try table().close("web")
        #expect(!accepts(number))
        #expect(try Files.list("\(scratch.path)/root/run/ports") == [])
    }

    @Test(
        "another tool takes the ports of a workload over, with the same process, and the first one cannot close them"
    )
    func kinds() throws {
        let number = LoopbackPort.free()
        let (first, second) = (table(), table("vm"))
        try first.point("web", port(number), to: "web-1", namespace: here)
        let client = try HTTPClient(port: number)
        try second.point("web", port(number), to: "web-2", namespace: here)
        #expect(started.processes.count == 1)
        try first.close("web")
        first.repair(of: "web-2") { _ in here }
        #expect(accepts(number))
        #expect(!first.leads("web", to: "web-2") && second.leads("web", to: "web-2"))
        try second.close("web")
        #expect(!accepts(number))
        _ = client
    }

    @Test("a port that is taken is refused with the name of its holder, whatever tool that belongs to")
    func taken() throws {
        let number = LoopbackPort.free()
        let vm = table("vm")
        try vm.point(vm.key(of: "box"), port(number), to: "box", namespace: here)
        do {
            try table().point("web", port(number), to: "web-1", namespace: here)
            Issue.record("it was taken")
        } catch {
            #expect(error.code == .conflict)
            #expect(error.message == "port \(number) on '127.0.0.1' is taken by vm 'box'")
        }
    }

    /// The port process of the version before, where `VOLT_EARLIER_PROGRAMS` is the directory of its programs, as
    /// `make soak` sets it; else the one of now at its place.
    private func startEarlier(_ key: String) throws -> Int32 {
        let programs = Environment.current["VOLT_EARLIER_PROGRAMS"] ?? ToolRunner.products
        try Files.makeDirectory(earlier, mode: 0o700)
        let process = try Processes.spawnDetached(
            "\(programs)/volt-container--port", ["\(earlier)/\(key)"], environment: [:])
        started.append(process)
        for _ in 0..<1000 where !Files.exists("\(earlier)/\(key)") { usleep(5_000) }
        return process
    }

    @Test("a port process of the version before goes on at its place, and a new one takes the new place")
    func upgrade() throws {
        let number = LoopbackPort.free()
        let process = try startEarlier("web")
        // As the version before wrote it.
        try Files.replace(
            "\(earlier)/web.settings",
            with: "volt-settings 1\0verb=set\0port=127.0.0.1|\(number)|1\0container=web-1\0".utf8)
        try table().point("web", port(number), to: "web-2", namespace: here)
        #expect(started.processes == [process])
        #expect(table().leads("web", to: "web-2"))
        #expect(!Files.exists("\(scratch.path)/root/run/ports/web"))
        table().drain("web", namespace: here, seconds: 1)
        table().repair { _ in here }
        #expect(started.processes == [process])

        kill(process, SIGKILL)
        while Processes.isAlive(process) { usleep(1_000) }
        table().repair { _ in here }
        #expect(started.processes.count == 2)
        #expect(accepts(number))
        #expect(Files.exists("\(scratch.path)/root/run/ports/web.settings"))
        // A supervisor of the version before knows the ports by the old path.
        PortTable.repoint("\(earlier)/web", of: "web-2", namespace: here)
        #expect(try ControlSocket.ask("\(earlier)/web", .status) == "ok 0" || accepts(number))
        try table().close("web")
        #expect(!accepts(number))
        #expect(try Files.list(earlier) == [])
    }
}
