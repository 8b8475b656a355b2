internal import CVoltSystem
internal import ContainerSandbox
internal import Glibc
internal import VoltCore
internal import VoltSandbox
internal import VoltSystem

/// What the child of the supervisor does to become systemd-nspawn: a mount namespace of its own
/// with the root file system and everything that is mounted into it below /run, then exec.
struct Launch {
    let settings: RunSettings
    let secrets: PayloadSecrets
    let shimSettings: Int32
    let status: Int32
    let devices: DeviceRules
    let imageRun: ImageRun

    /// Becomes nspawn; returns only by throwing.
    func run() throws(VoltError) -> Never {
        guard volt_die_with_parent() == 0 else {
            throw SystemError.current.during("cannot follow the supervisor")
        }
        guard volt_unshare_mounts() == 0, volt_mounts_enslave() == 0 else {
            throw SystemError.current.during("cannot make a mount namespace")
        }
        let words = try prepare(settings.root.stage)
        // Old kernels mount layers through loop devices.
        try devices.restrict()
        try execute(words)
    }

    /// Builds the new /run at the stage first, where every path of the host can still be reached.
    ///
    /// - Returns: more arguments for nspawn.
    private func prepare(_ stage: String) throws(VoltError) -> [String] {
        try mount("tmpfs", on: stage, type: "tmpfs", "mode=755")
        for name in ["m", "systemd", "systemd/inaccessible", "lock", "host"] {
            try Files.makeDirectory("\(stage)/\(name)")
        }
        for (index, mount) in settings.mounts.enumerated() {
            let parts = mount.split(separator: ":", maxSplits: 1).map(String.init)
            guard parts.count == 2 else { throw VoltError(.failed, "'\(mount)' is not a mount") }
            var flags = 0
            for word in parts[0].split(separator: ",") {
                switch word {
                case "rw": break
                case "ro": flags |= Int(VOLT_MOUNT_READ_ONLY)
                case "nosuid": flags |= Int(VOLT_MOUNT_NO_SETUID)
                case "nodev": flags |= Int(VOLT_MOUNT_NO_DEVICES)
                default: throw VoltError(.failed, "'\(word)' is not a word of a mount")
                }
            }
            try bind(parts[1], "\(stage)/m/\(index)", flags: UInt64(flags))
        }
        try secrets.writeFiles("\(stage)/m", from: settings.mounts.count)
        try RootFileSystem(settings: settings.root).mount()
        // An image of one static program has none of these, and nspawn cannot make them in a read-only root.
        for name in ["proc", "sys", "dev", "run", "usr"] { mkdir("\(stage)/root/\(name)", 0o755) }
        let words = try bindImageRun("\(stage)/root", "\(stage)/m/run")
        try replaceLinks("\(stage)/root")
        if mkdir("\(stage)/root/tmp", 0o1777) == 0 { chmod("\(stage)/root/tmp", 0o1777) }
        try clearMachineID("\(stage)/root")
        try makeTargets("\(stage)/root", "\(stage)/m")
        guard volt_bind(stage, "/run", 0) == 0 else { throw SystemError.current.during("cannot cover /run") }
        // nspawn takes a pure cgroup2 host for what it is; on a hybrid one it would show the payload all of v1.
        if Files.isDirectory("/sys/fs/cgroup/unified") {
            // Bound over what is there: a new mount, or to unmount, waits for every processor.
            try bind("/sys/fs/cgroup/unified", "/sys/fs/cgroup", flags: 0)
        }
        return words
    }

    /// Puts directories in the place of links: nspawn writes below these by their names, and would do so along a link
    /// to anywhere on the host.
    private func replaceLinks(_ rootPath: String) throws(VoltError) {
        for name in ["proc", "sys", "dev", "run"] {
            let path = "\(rootPath)/\(name)"
            var information = stat()
            guard lstat(path, &information) == 0, information.st_mode & S_IFMT != S_IFDIR else { continue }
            guard unlink(path) == 0, mkdir(path, 0o755) == 0 else {
                throw SystemError.current.during("cannot make '/\(name)' of the container a directory")
            }
        }
    }

    /// Mounts what the image has below /run where nspawn finds it.
    private func bindImageRun(_ rootPath: String, _ place: String) throws(VoltError) -> [String] {
        let root = volt_open(rootPath, O_RDONLY | O_DIRECTORY, 0)
        guard root >= 0 else { throw SystemError.current.during("cannot open the root of the container") }
        defer { close(root) }
        guard let directory = try imageRun.directory(in: root) else { return [] }
        defer { close(directory) }
        let flags = imageRun.stays ? 0 : UInt64(VOLT_MOUNT_READ_ONLY)
        try bind("/proc/self/fd/\(directory)", place, flags: flags)
        return ["--bind\(imageRun.stays ? "" : "-ro")=/run/m/run:\(imageRun.place)"]
    }

    /// Takes away what the container has put in the place of its machine id: nspawn reads that, along any link and
    /// for as long as a pipe has nothing to read.
    private func clearMachineID(_ rootPath: String) throws(VoltError) {
        let root = volt_open(rootPath, O_RDONLY | O_DIRECTORY, 0)
        guard root >= 0 else { throw SystemError.current.during("cannot open the root of the container") }
        defer { close(root) }
        let directory = volt_open_in_root(root, "/etc", O_RDONLY | O_DIRECTORY, 0)
        guard directory >= 0 else { return }
        defer { close(directory) }
        var information = stat()
        guard fstatat(directory, "machine-id", &information, AT_SYMLINK_NOFOLLOW) == 0,
            ![S_IFREG, S_IFDIR].contains(information.st_mode & S_IFMT)
        else { return }
        guard unlinkat(directory, "machine-id", 0) == 0 else {
            throw SystemError.current.during("cannot remove '/etc/machine-id' of the container")
        }
    }

    /// Makes what the mounts cover: nspawn cannot in a read-only root. Every step stays inside the root,
    /// whatever links the image has.
    private func makeTargets(_ rootPath: String, _ mounts: String) throws(VoltError) {
        let root = volt_open(rootPath, O_RDONLY | O_DIRECTORY, 0)
        guard root >= 0 else { throw SystemError.current.during("cannot open the root of the container") }
        defer { close(root) }
        for (index, target) in settings.targets.enumerated() {
            // nspawn puts a file system of its own over /run, and makes what is below it.
            if target.hasPrefix("/run/") { continue }
            let parts = target.split(separator: "/").map(String.init)
            // The shim is the first mount and has no target here.
            let isFile = !Files.isDirectory("\(mounts)/\(index + 1)")
            var parent = "/"
            for (depth, part) in parts.enumerated() {
                let directory = volt_open_in_root(root, parent, O_RDONLY | O_DIRECTORY, 0)
                guard directory >= 0 else {
                    throw SystemError.current.during("cannot open '\(parent)' in the container")
                }
                defer { close(directory) }
                let path = parent == "/" ? "/\(part)" : "\(parent)/\(part)"
                if isFile, depth == parts.count - 1 {
                    // What is there is not opened: it may be a pipe, or a device.
                    if volt_exists_in_root(root, path) != 0 { continue }
                    let file = volt_open_in_root(root, path, O_WRONLY | O_CREAT | O_NONBLOCK, 0o644)
                    if file >= 0 { close(file) }
                } else {
                    mkdirat(directory, part, 0o755)
                }
                parent = path
            }
        }
    }

    private func mount(_ source: String, on target: String, type: String, _ data: String?) throws(VoltError) {
        guard volt_mount(source, target, type, data) == 0 else {
            throw SystemError.current.during("cannot mount \(type) on '\(target)'")
        }
    }

    private func bind(_ source: String, _ target: String, flags: UInt64) throws(VoltError) {
        if Files.isDirectory(source) {
            try Files.makeDirectory(target)
        } else {
            let descriptor = volt_open(target, O_WRONLY | O_CREAT, 0o600)
            if descriptor >= 0 { close(descriptor) }
        }
        guard volt_bind(source, target, flags) == 0 else {
            throw SystemError.current.during("cannot mount '\(source)'")
        }
    }

    private func execute(_ more: [String]) throws(VoltError) -> Never {
        // nspawn hands descriptors from 3 on to its payload (sd_listen_fds(3)).
        let first = fcntl(shimSettings, F_DUPFD, 10)
        let second = fcntl(status, F_DUPFD, 10)
        guard first >= 0, second >= 0, dup2(first, 3) == 3, dup2(second, 4) == 4 else {
            throw SystemError.current.during("cannot hand descriptors on")
        }
        volt_close_on_exec(5)
        _ = volt_reset_signals()
        // At another path at each start: a mount of the manifest could cover one that is known, and would then
        // run in the place of the shim, with capabilities and system calls that no payload has.
        let name = (0..<2).map { _ in String(UInt64.random(in: 0...UInt64.max), radix: 36) }.joined()
        let shim = "/run/volt-init-\(name)"
        let words = settings.argv + more + ["--bind-ro=/run/m/0:\(shim)", shim]
        let argv = words.map { strdup($0) } + [nil]
        let variables = settings.environment + ["LISTEN_FDS=2", "LISTEN_PID=\(getpid())"]
        let envp = variables.map { strdup($0) } + [nil]
        guard let program = argv[0] else { throw VoltError(.failed, "the settings name no program") }
        execve(program, argv, envp)
        throw SystemError.current.during("cannot run '\(settings.argv.first ?? "")'")
    }
}
