internal import CVoltSystem
internal import Glibc
public import VoltCore
internal import VoltSystem
internal import VoltWorkload

/// The control groups of what is supervised: one below the supervisor's own in each hierarchy that counts, so
/// that they hold nothing else (cgroups(7)).
public struct ControlGroups: Sendable {
    private let name: String
    private var directories: [String: String] = [:]
    /// The directory of the group of version 2, which limits devices also beside controllers of version 1; nil where
    /// there is none.
    public private(set) var unified: String?
    /// The kernel's account of the memory of the groups.
    let memory: MemoryGroup

    /// Makes the groups and sets the limits.
    ///
    /// - Parameters:
    ///   - name: unique on the host.
    ///   - isInUnit: whether the groups above hold nothing else, and have its limits.
    init(name: String, limits: GroupLimits, isInUnit: Bool) throws(VoltError) {
        self.name = name
        var memory: [String] = []
        let isHybrid = ProcessTable.isHybrid
        for membership in ProcessTable.memberships(of: "self") {
            let path = membership.path
            for controller in membership.controllers.isEmpty ? [""] : membership.controllers {
                let mount: String
                switch controller {
                case "": mount = isHybrid ? "/sys/fs/cgroup/unified" : "/sys/fs/cgroup"
                // A host of version 1 alone, where this hierarchy is systemd's and nspawn's own.
                case "name=systemd" where !isHybrid: mount = "/sys/fs/cgroup/systemd"
                // Each hierarchy more costs milliseconds to join: only those that limit something.
                case "memory" where limits.memory != nil:
                    mount = "/sys/fs/cgroup/memory"
                    memory.append("\(mount)\(path)/\(name)")
                case "memory" where isInUnit:
                    memory.append("/sys/fs/cgroup/memory\(path)")
                    continue
                case "pids" where limits.pids != nil: mount = "/sys/fs/cgroup/pids"
                case "cpu" where limits.cpuQuota != nil: mount = "/sys/fs/cgroup/cpu"
                default: continue
                }
                guard Files.exists("\(mount)\(path)/cgroup.procs") else { continue }
                let directory = "\(mount)\(path)/\(name)"
                // A hierarchy that is read-only here has no limits to set.
                if mkdir(directory, 0o755) != 0, errno != EEXIST { continue }
                directories[controller] = directory
                if controller.isEmpty {
                    unified = directory
                    memory.append(directory)
                    if isInUnit { memory.append("\(mount)\(path)") }
                }
            }
        }
        self.memory = MemoryGroup(directories: memory)
        guard !directories.isEmpty else {
            throw VoltError(.failed, "cannot make a control group below /sys/fs/cgroup")
        }
        try apply(limits)
    }

    /// Makes a group in one more hierarchy of version 1, such as `devices`.
    ///
    /// - Returns: its directory; nil when there is no such hierarchy, or it is read-only here.
    public mutating func join(controller: String) -> String? {
        let own = ProcessTable.memberships(of: "self").first { $0.controllers.contains(controller) }
        guard let own else { return nil }
        let directory = "/sys/fs/cgroup/\(controller)\(own.path)/\(name)"
        guard mkdir(directory, 0o755) == 0 || errno == EEXIST else { return nil }
        directories[controller] = directory
        return directory
    }

    private func apply(_ limits: GroupLimits) throws(VoltError) {
        func set(_ what: String, _ value: String, v1: (String, [(String, String)]), v2: String)
            throws(VoltError)
        {
            if let directory = directories[v1.0] {
                for (file, text) in v1.1 { try write(text, "\(directory)/\(file)") }
            } else if let unified {
                enable(v1.0, above: unified)
                try write(value, "\(unified)/\(v2)")
            } else {
                throw VoltError(.failed, "this host has no control group that limits \(what)")
            }
        }
        if let memory = limits.memory.map({ String($0) }) {
            try set("memory", memory, v1: ("memory", [("memory.limit_in_bytes", memory)]), v2: "memory.max")
        }
        if let pids = limits.pids.map({ String($0) }) {
            try set("processes", pids, v1: ("pids", [("pids.max", pids)]), v2: "pids.max")
        }
        if let quota = limits.cpuQuota.map({ String($0) }) {
            try set(
                "processors", "\(quota) 100000",
                v1: ("cpu", [("cpu.cfs_period_us", "100000"), ("cpu.cfs_quota_us", quota)]), v2: "cpu.max")
        }
    }

    private func enable(_ controller: String, above directory: String) {
        // Where the parent has processes of its own this is refused, and the write of the limit says so.
        try? write("+\(controller)", "\(Files.parent(of: directory))/cgroup.subtree_control")
    }

    private func write(_ text: String, _ path: String) throws(VoltError) {
        let descriptor = volt_open(path, O_WRONLY, 0)
        guard descriptor >= 0 else { throw SystemError.current.during("cannot set '\(path)'") }
        defer { close(descriptor) }
        try Files.write(Array(text.utf8), to: descriptor, named: path)
    }

    /// fork(2) with the child in the groups of version 2 already, where the kernel can do that.
    func fork() -> (pid: Int32, isInside: Bool) {
        if let unified {
            let descriptor = volt_open(unified, O_RDONLY | O_DIRECTORY, 0)
            defer { close(descriptor) }
            let pid = descriptor >= 0 ? volt_fork_into(descriptor) : -1
            if pid >= 0 { return (pid, true) }
        }
        return (volt_fork(), false)
    }

    /// Moves the calling process into the groups.
    ///
    /// - Parameter isInside: whether it is in those of version 2 already.
    func join(isInside: Bool) throws(VoltError) {
        for directory in directories.values where !(isInside && directory == unified) {
            try write("0", "\(directory)/cgroup.procs")
        }
    }

    /// Kills everything in the groups and waits until they are empty, for a second at most.
    ///
    /// - Returns: whether they are.
    @discardableResult
    func kill() -> Bool { GroupTree.kill(directories.values, milliseconds: 1000) }

    /// Removes the groups, which must be empty.
    func remove() { for directory in directories.values { GroupTree.remove(directory) } }
}
