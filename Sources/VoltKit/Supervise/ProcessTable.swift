internal import Glibc
internal import VoltSystem

/// The control groups and the network of processes, as /proc tells them.
public enum ProcessTable {
    /// A line of `/proc/PID/cgroup`: a hierarchy, and where in it the process is.
    struct Membership {
        /// Empty for the hierarchy of version 2.
        let controllers: [String]
        /// From the root of the hierarchy; empty for the root itself.
        let path: String
    }

    /// Whether a hierarchy of version 2 is beside those of version 1.
    static var isHybrid: Bool { Files.exists("/sys/fs/cgroup/unified/cgroup.procs") }

    /// The hierarchies that a process is in.
    ///
    /// - Parameter process: a number, or `self`.
    static func memberships(of process: String) -> [Membership] {
        let table = String(decoding: (try? Files.read("/proc/\(process)/cgroup")) ?? [], as: UTF8.self)
        return table.split(separator: "\n").compactMap { line in
            let fields = line.split(separator: ":", maxSplits: 2, omittingEmptySubsequences: false)
            guard fields.count == 3 else { return nil }
            return Membership(
                controllers: fields[1].split(separator: ",").map(String.init),
                path: fields[2] == "/" ? "" : String(fields[2]))
        }
    }

    /// The directories of the control groups of a process, without the roots.
    public static func groups(of pid: Int32) -> [String] {
        let isHybrid = isHybrid
        return memberships(of: String(pid)).compactMap { membership in
            guard !membership.path.isEmpty else { return nil }
            let mount =
                switch membership.controllers.joined(separator: ",") {
                case "": isHybrid ? "/sys/fs/cgroup/unified" : "/sys/fs/cgroup"
                case "name=systemd": "/sys/fs/cgroup/systemd"
                case let names: "/sys/fs/cgroup/\(names)"
                }
            let directory = mount + membership.path
            return Files.isDirectory(directory) ? directory : nil
        }
    }

    /// The files that move a process into the control groups of another.
    public static func groupFiles(of pid: Int32) -> [String] {
        groups(of: pid).map { "\($0)/cgroup.procs" }
    }

    /// Whether a process is in a control group that the kernel does not run.
    public static func isFrozen(_ pid: Int32) -> Bool {
        groups(of: pid).contains { (directory: String) in FrozenGroup.isFrozen(directory) }
    }

    /// Whether a TCP port is listened on in the network namespace of a process (proc(5), net/tcp).
    public static func listens(_ port: UInt16, in pid: Int32) -> Bool {
        let hex = String(port, radix: 16, uppercase: true)
        let suffix = ":" + String(repeating: "0", count: 4 - hex.count) + hex
        for table in ["tcp", "tcp6"] {
            guard let bytes = try? Files.read("/proc/\(pid)/net/\(table)") else { continue }
            for line in String(decoding: bytes, as: UTF8.self).split(separator: "\n").dropFirst() {
                let fields = line.split(separator: " ", maxSplits: 4)
                if fields.count > 3, fields[1].hasSuffix(suffix), fields[3] == "0A" { return true }
            }
        }
        return false
    }
}

/// A control group and those below it, of either version.
enum GroupTree {
    /// The processes in it.
    static func members(of directory: String) -> [Int32] {
        let text = (try? Files.read("\(directory)/cgroup.procs")) ?? []
        var pids = String(decoding: text, as: UTF8.self).split(separator: "\n").compactMap { Int32($0) }
        for child in children(of: directory) { pids += members(of: child) }
        return pids
    }

    /// Kills what is in groups, until they are empty or the time is over.
    ///
    /// - Returns: whether they are empty.
    @discardableResult
    static func kill(_ directories: some Sequence<String>, milliseconds: Int) -> Bool {
        // One by one: after cgroup.kill, Linux 6.18 kills whatever is cloned into the group later as well.
        for _ in 0..<milliseconds / 5 {
            let members = directories.flatMap(members)
            if members.isEmpty { return true }
            for pid in members { Glibc.kill(pid, SIGKILL) }
            usleep(5_000)
        }
        return false
    }

    /// Removes groups that are empty; they may take a moment to be.
    static func remove(_ directory: String) {
        for _ in 0..<50 {
            if removeOnce(directory) { return }
            usleep(2_000)
        }
    }

    private static func removeOnce(_ directory: String) -> Bool {
        for child in children(of: directory) { _ = removeOnce(child) }
        return rmdir(directory) == 0 || errno == ENOENT
    }

    static func children(of directory: String) -> [String] {
        ((try? Files.list(directory)) ?? []).map { "\(directory)/\($0)" }.filter(Files.isDirectory)
    }
}

/// The control groups that a supervisor which was killed has left.
public struct LeftGroups {
    private let name: String

    /// - Parameter name: the name of the groups, unique on the host.
    public init(name: String) { self.name = name }

    /// How deep a user's session or a service may lie, and one more below its own groups.
    private static let depth = 8

    /// Lets what is frozen in them run again, and what systemd has frozen with the unit of that name: a process that
    /// is frozen ends by no other signal than a kill.
    public func thaw() {
        for mount in ["/sys/fs/cgroup/unified", "/sys/fs/cgroup"] {
            for directory in Self.find(name, below: mount, depth: Self.depth) {
                let unit = Files.parent(of: directory)
                if Files.lastComponent(of: unit).hasPrefix("\(name).") {
                    Self.write("0", "\(unit)/cgroup.freeze")
                }
                Self.thaw(directory)
            }
        }
    }

    private static func thaw(_ directory: String) {
        write("0", "\(directory)/cgroup.freeze")
        for child in GroupTree.children(of: directory) { thaw(child) }
    }

    /// Writes to a file that this kernel may not have.
    private static func write(_ text: String, _ path: String) {
        let descriptor = open(path, O_WRONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return }
        try? Files.write(Array(text.utf8), to: descriptor, named: path)
        close(descriptor)
    }

    /// Kills what is in them and removes them.
    public func clear() {
        for root in ["unified", "systemd", "memory", "pids", "cpu", "devices", ""] {
            let mount = root.isEmpty ? "/sys/fs/cgroup" : "/sys/fs/cgroup/\(root)"
            for directory in Self.find(name, below: mount, depth: Self.depth) {
                // At once, with what is being forked meanwhile; from Linux 5.14 on. The group is not used again.
                Self.write("1", "\(directory)/cgroup.kill")
                GroupTree.kill([directory], milliseconds: 500)
                GroupTree.remove(directory)
            }
        }
    }

    private static func find(_ name: String, below directory: String, depth: Int) -> [String] {
        guard depth > 0 else { return [] }
        return GroupTree.children(of: directory).flatMap { path in
            Files.lastComponent(of: path) == name ? [path] : find(name, below: path, depth: depth - 1)
        }
    }
}
