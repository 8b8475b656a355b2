import Testing
import VoltSystem
import VoltTestKit

@Suite(.enabled(if: runsContainers, "needs root, systemd-nspawn and busybox-static"))
struct DeviceTests {
    let host: RuntimeHost
    /// A directory with the script `probe`, which prints a line for each device that it should not have opened, or
    /// should have.
    let probe: String

    init() throws {
        host = try RuntimeHost()
        probe = "\(host.scratch.path)/probe"
        try Files.makeDirectory(probe)
        // A loop device, /dev/fuse, /dev/kvm, /dev/kmsg, /dev/console, /dev/loop-control, and one that no host has.
        let script = """
            status=0 node=/tmp/node.$$
            wrong() { echo "$@"; status=1; }
            for device in 'b 7 0' 'c 10 229' 'c 10 232' 'c 1 11' 'c 5 1' 'c 10 237' 'c 1 6' 'b 1 3' 'c 250 3'; do
                busybox rm -f $node
                busybox mknod $node $device || wrong "no node $device"
                for open in '<' '>' '<>'; do
                    case $( (eval ": $open $node") 2>&1) in
                    *'Operation not permitted') ;;
                    *) wrong "opened $device with $open" ;;
                    esac
                done
            done
            for device in null zero full random urandom ptmx; do (: </dev/$device) || wrong "no $device"; done
            (: >/dev/null) || wrong "no null to write to"
            busybox rm -f $node
            busybox mknod $node c 1 3
            (: <>$node) || wrong 'no node of null'
            exit $status
            """
        try Files.replace("\(probe)/probe", with: "\(script)\n".utf8)
    }

    @Test("a container opens no device of the host: in run, in exec, in a health check, after a restart")
    func containers() throws {
        let run = try host.volt("run", "--rm", "-v", "\(probe):/probe:ro", "busybox", "sh", "/probe/probe")
        #expect(run.stdout == "" && run.status == 0, "\(run.stderr)")
        let check = "sh /probe/probe >>/data/health 2>&1; echo end >>/data/health"
        // Ends once, so that it is started again.
        let command =
            "sh /probe/probe >>/data/out 2>&1; echo end >>/data/out; test -e /data/2 && exec sleep 1000; touch /data/2; exit 1"
        try #require(
            try host.volt(
                "run", "-d", "--name", "c", "-v", "\(probe):/probe:ro", "-v", "data:/data", "--health", check,
                "--restart", "on-failure", "busybox", "sh", "-c", command
            ).status == 0)
        _ = try host.wait(for: "c") { $0.state == "running" && $0.restarts == 1 && $0.health == "healthy" }
        let exec = try host.volt("exec", "c", "sh", "/probe/probe")
        #expect(exec.stdout == "" && exec.status == 0, "\(exec.stderr)")
        #expect(try host.volt("exec", "c", "cat", "/data/out").stdout == "end\nend\n")
        let health = try host.volt("exec", "c", "cat", "/data/health").stdout
        #expect(Set(health.split(separator: "\n")) == ["end"])
    }

    @Test("a step of a build opens no device of the host")
    func build() throws {
        try Files.replace(
            "\(probe)/Voltfile",
            with: "FROM busybox\nCOPY probe /probe\nRUN [\"/bin/sh\", \"/probe\"]\nCMD [\"true\"]\n".utf8)
        let result = try host.volt("build", probe)
        #expect(result.status == 0, "\(result.stderr)")
    }

    @Test("a container whose layers need loop devices is started again")
    func loopDevices() throws {
        let command = "test -e /www/2 && exec sleep 1000; touch /www/2; exit 1"
        try #require(
            try host.volt("create", "--name", "c", "--restart", "on-failure", "busybox", "sh", "-c", command)
                .status == 0)
        // As a kernel before 6.12 does it.
        let settings = "\(host.scratch.path)/root/lib/container/containers/c/run"
        try Files.replace(settings, with: try Files.read(settings) + Array("names-from=loop\0".utf8))
        try #require(try host.volt("start", "c").status == 0)
        _ = try host.wait(for: "c") { $0.state == "running" && $0.restarts == 1 }
        let exec = try host.volt("exec", "c", "sh", "-c", "busybox mknod /tmp/d c 10 237; : </tmp/d")
        #expect(exec.stderr.contains("Operation not permitted"), "\(exec.stderr)")
    }

    @Test("where there is no unified hierarchy the controller of version 1 keeps a container from devices")
    func legacy() throws {
        // A host of version 2 alone has no such controller; there the tests above are all there is.
        guard Files.exists("/sys/fs/cgroup/unified/cgroup.procs") else { return }
        let script = """
            mount -t tmpfs tmpfs /sys/fs/cgroup
            for controller in devices memory pids; do
                mkdir /sys/fs/cgroup/$controller
                mount -t cgroup -o $controller cgroup /sys/fs/cgroup/$controller
            done
            mkdir /sys/fs/cgroup/systemd
            mount -t cgroup -o none,name=systemd cgroup /sys/fs/cgroup/systemd
            exec volt-container run --rm -v \(probe):/probe:ro busybox sh /probe/probe
            """
        let result = try host.run("unshare", "--mount", "sh", "-e", "-c", script)
        #expect(result.stdout == "" && result.status == 0, "\(result.stderr)")
    }
}
