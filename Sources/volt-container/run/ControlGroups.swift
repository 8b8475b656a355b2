internal import CVoltSystem
internal import ContainerSandbox
internal import Glibc
internal import VoltCore
internal import VoltSandbox
internal import VoltSystem

/// The control groups of a container: one below the supervisor's own in each hierarchy that counts, so
/// that nspawn's `supervisor` and `payload` groups are this container's alone (cgroups(7)).
struct ControlGroups {
    private let directories: [String: String]
    private let unified: String?
    /// Which devices the processes in the groups may open.
    let devices: DeviceRules
    /// What the kernel tells about the memory of the groups.
    let memory: MemoryGroup

    /// Makes the groups and sets the limits.
    ///
    /// - Parameters:
    ///   - name: unique on the host.
    ///   - isInUnit: whether the groups above are the container's alone, and have its limits.
    init(name: String, limits: Settings, isInUnit: Bool) throws(VoltError) {
        var directories: [String: String] = [:]
        var unified: String?
        var devices: String?
        var memory: [String] = []
        let table = String(decoding: try Files.read("/proc/self/cgroup"), as: UTF8.self)
        let isHybrid = Files.exists("/sys/fs/cgroup/unified/cgroup.procs")
        for line in table.split(separator: "\n") {
            let fields = line.split(separator: ":", maxSplits: 2, omittingEmptySubsequences: false).map(
                String.init)
            guard fields.count == 3 else { continue }
            let path = fields[2] == "/" ? "" : fields[2]
            for controller in fields[1].split(separator: ",").map(String.init)
                + (fields[1].isEmpty ? [""] : [])
            {
                let mount: String
                switch controller {
                case "": mount = isHybrid ? "/sys/fs/cgroup/unified" : "/sys/fs/cgroup"
                // A host of version 1 alone, where this hierarchy is systemd's and nspawn's own.
                case "name=systemd" where !isHybrid: mount = "/sys/fs/cgroup/systemd"
                // Each hierarchy more costs milliseconds to join: only those that limit something.
                case "memory" where limits.optional("memory") != nil:
                    mount = "/sys/fs/cgroup/memory"
                    memory.append("\(mount)\(path)/\(name)")
                case "memory" where isInUnit:
                    memory.append("/sys/fs/cgroup/memory\(path)")
                    continue
                case "pids" where limits.optional("pids") != nil: mount = "/sys/fs/cgroup/pids"
                case "cpu" where limits.optional("cpu-quota") != nil: mount = "/sys/fs/cgroup/cpu"
                case "devices":
                    devices = "/sys/fs/cgroup/devices\(path)/\(name)"
                    continue
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
        guard !directories.isEmpty else {
            throw VoltError(.failed, "cannot make a control group below /sys/fs/cgroup")
        }
        if let rules = DeviceRules(unified: unified) {
            self.devices = rules
        } else if let devices, mkdir(devices, 0o755) == 0 || errno == EEXIST,
            let rules = DeviceRules(legacy: devices)
        {
            directories["devices"] = devices
            self.devices = rules
        } else {
            throw VoltError(
                .failed, "this host has no control group that keeps the container from devices",
                hint: "mount cgroup2 at /sys/fs/cgroup, on a kernel with CONFIG_CGROUP_BPF")
        }
        self.directories = directories
        self.unified = unified
        self.memory = MemoryGroup(directories: memory)
        try apply(limits)
    }

    private func apply(_ limits: Settings) throws(VoltError) {
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
        if let memory = limits.optional("memory") {
            try set("memory", memory, v1: ("memory", [("memory.limit_in_bytes", memory)]), v2: "memory.max")
        }
        if let pids = limits.optional("pids") {
            try set("processes", pids, v1: ("pids", [("pids.max", pids)]), v2: "pids.max")
        }
        if let quota = limits.optional("cpu-quota") {
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
    func kill() -> Bool {
        // One by one: after cgroup.kill, Linux 6.18 kills whatever is cloned into the group later as well.
        for _ in 0..<200 {
            let members = processes()
            if members.isEmpty { return true }
            for pid in members { Glibc.kill(pid, SIGKILL) }
            usleep(5_000)
        }
        return false
    }

    private func processes() -> [Int32] {
        directories.values.flatMap { Self.members(of: $0) }
    }

    private static func members(of directory: String) -> [Int32] {
        var pids: [Int32] = []
        let text = (try? Files.read("\(directory)/cgroup.procs")) ?? []
        pids += String(decoding: text, as: UTF8.self).split(separator: "\n").compactMap { Int32($0) }
        for name in (try? Files.list(directory)) ?? [] where Files.isDirectory("\(directory)/\(name)") {
            pids += members(of: "\(directory)/\(name)")
        }
        return pids
    }

    /// Removes the groups, which must be empty.
    func remove() {
        for directory in directories.values {
            for _ in 0..<50 {
                if Self.removeTree(directory) { break }
                usleep(2_000)
            }
        }
    }

    private static func removeTree(_ directory: String) -> Bool {
        for name in (try? Files.list(directory)) ?? [] where Files.isDirectory("\(directory)/\(name)") {
            _ = removeTree("\(directory)/\(name)")
        }
        return rmdir(directory) == 0 || errno == ENOENT
    }
}
