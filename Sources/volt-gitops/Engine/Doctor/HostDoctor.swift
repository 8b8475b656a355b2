internal import GitopsSource
internal import Glibc
internal import VoltCore
internal import VoltSystem
internal import VoltSystemd
internal import VoltTrust

/// What the doctor looks at on the host itself.
struct HostDoctor {
    /// The directory of the journal.
    let state: String
    let now: Timestamp

    // MARK: Libraries

    /// The first package of Debian 12 with the fixes of 2026: submodule paths, delta sizes, credentials after a
    /// redirect, and paths over ssh.
    private static let patchedGit = "1.5.1+ds-1+deb12u2"

    /// The versions of the libraries that read repositories.
    ///
    /// - Parameter linked: what the worker says of those it is linked to; nil when it cannot start.
    func libraries(_ linked: SourceLibraries?) -> [DoctorCheck] {
        guard let linked else { return [] }
        let others = [("libssh2", "libssh2-1*", linked.ssh), ("OpenSSL", "libssl[0-9]*", linked.openSSL)]
        return [git(linked.git)]
            + others.compactMap { name, pattern, version in
                guard let version else { return nil }
                guard let package = installed(pattern, version: version) else {
                    return unknown(name, version)
                }
                return .ok(name, "\(package.name) \(package.version)")
            }
    }

    private func git(_ linked: String) -> DoctorCheck {
        guard let package = installed("libgit2-[0-9]*", version: linked) else {
            return unknown("libgit2", linked)
        }
        guard linked.hasPrefix("1.5.") else {
            return .warn(
                "libgit2", "package \(package.version): which fixes it has is not known here",
                "look at the notices of its distributor")
        }
        let outcome = run("/usr/bin/dpkg", ["--compare-versions", package.version, "ge", Self.patchedGit])?
            .outcome
        guard outcome == .exited(0) else {
            return .fail(
                "libgit2", "package \(package.version) lacks security fixes, which are in \(Self.patchedGit)",
                "apt-get update && apt-get install --only-upgrade \(package.name)")
        }
        return .ok("libgit2", "package \(package.version) has the security fixes of 2026")
    }

    private func unknown(_ name: String, _ version: String) -> DoctorCheck {
        .warn(
            name, "version \(version), of no Debian package: whether it has the fixes of 2026 cannot be told",
            "look at the notices of its distributor")
    }

    /// The installed package of a library that has the version which is linked: there may be others beside it.
    private func installed(_ pattern: String, version: String) -> (name: String, version: String)? {
        let reply = run(
            "/usr/bin/dpkg-query", ["-W", "-f", "${db:Status-Abbrev}|${Package}|${Version}\\n", pattern])
        for line in reply?.lines ?? [] {
            let fields = line.split(separator: "|").map(String.init)
            if fields.count == 3, fields[0].hasPrefix("ii"), !fields[1].hasSuffix("-dev"),
                fields[2].hasPrefix("\(version)+") || fields[2].hasPrefix("\(version)-")
            {
                return (fields[1], fields[2])
            }
        }
        return nil
    }

    // MARK: The machine

    /// Room for commits, images and the journal.
    func disk() -> DoctorCheck {
        var information = statvfs()
        guard statvfs(state, &information) == 0 else {
            return .warn(
                "disk", "'\(state)' is not there yet", "it is made by the first 'volt gitops create'")
        }
        let free = UInt64(information.f_bavail).multipliedClamped(by: UInt64(information.f_frsize))
        let share =
            information.f_blocks == 0
            ? 100 : Int(clamping: information.f_bavail.multipliedClamped(by: 100) / information.f_blocks)
        let hint = "make room on the file system of '\(state)'"
        let text = "\(ByteSize(bytes: free)) free (\(share) %)"
        // Few bytes are few on every disk; a small share of a large one is not.
        if free < 200 << 20 { return .fail("disk", "only \(text)", hint) }
        if information.f_files > 0, information.f_favail * 100 / information.f_files < 1 {
            return .fail("disk", "\(text), and less than 1 % of the inodes", hint)
        }
        if free < 1 << 30 { return .warn("disk", "only \(text)", hint) }
        return .ok("disk", text)
    }

    /// Whether the clock may be right: it must not be before what was written already.
    func clock() -> DoctorCheck {
        var newest: Timestamp?
        for file in ["journal.db", "journal.db-wal", "secrets", "mirrors"] {
            var information = stat()
            guard stat("\(state)/\(file)", &information) == 0 else { continue }
            let time = Timestamp(milliseconds: Int64(information.st_mtim.tv_sec).multipliedClamped(by: 1000))
            newest = max(newest ?? time, time)
        }
        if let newest, newest.since(now) > .seconds(300) {
            return .fail(
                "clock", "it is \(now), and files were written at \(newest)",
                "set the clock; certificates, windows and signatures depend on it")
        }
        // 2025-01-01: before any version of Volt.
        guard now.milliseconds > 1_735_689_600_000 else {
            return .fail("clock", "it is \(now)", "set the clock, and have it kept by a time service")
        }
        return .ok("clock", "it is \(now)")
    }

    /// The keys that containers decrypt secrets with; none are needed where there are none.
    func keys(_ configuration: String) -> [DoctorCheck] {
        let directory = "\(configuration)/age"
        let names = ((try? Files.list(directory)) ?? []).filter { $0.hasSuffix(".txt") }.sorted()
        guard !names.isEmpty else { return [] }
        guard Files.exists("/usr/bin/age") || Files.exists("/usr/local/bin/age") else {
            return [.fail("age keys", "'age' is not installed", "install the package age")]
        }
        for name in names {
            var information = stat()
            let path = "\(directory)/\(name)"
            guard lstat(path, &information) == 0, information.st_mode & S_IFMT == S_IFREG,
                information.st_mode & 0o077 == 0, information.st_uid == geteuid()
            else {
                return [
                    .fail(
                        "age keys", "others than its owner can read '\(path)', so it is not used",
                        "chown root: \(path) && chmod 600 \(path), and consider a new key")
                ]
            }
        }
        return [.ok("age keys", names.joined(separator: ", "))]
    }

    /// The policy of which images are taken: one with an error stops every deploy of an image.
    func trust(_ configuration: String) -> [DoctorCheck] {
        let path = TrustPolicy.path(configuration)
        do throws(VoltError) {
            guard let policy = try TrustPolicy.load(path, isNeeded: false) else { return [] }
            return [.ok("trust policy", "'\(path)' has \(policy.summary)")]
        } catch { return [.fail("trust policy", error.message, error.hint)] }
    }

    /// The unit of the server.
    func unit() -> DoctorCheck {
        guard let systemd = Systemd.current else {
            return .ok("unit", "systemd is not PID 1 here: 'volt gitops serve' runs under another supervisor")
        }
        guard let unit = (try? systemd.states(of: ["volt-gitops.service"]))?.first, unit.load == "loaded"
        else {
            return .warn(
                "unit", "there is no volt-gitops.service", "write it with 'volt gitops install-service'")
        }
        let text = "volt-gitops.service is \(unit.active) and \(unit.file)"
        if unit.active == "failed" { return .fail("unit", text, "'volt service logs volt-gitops' says why") }
        if unit.file != "enabled" {
            return .warn(
                "unit", "\(text): it does not start with the machine", "volt service enable volt-gitops")
        }
        if unit.needsReload {
            return .warn("unit", "\(text), and its files changed", "systemctl daemon-reload")
        }
        return .ok("unit", text)
    }

    /// What containers need of the kernel.
    func kernel() -> DoctorCheck {
        var missing = ["mnt", "pid", "net", "uts", "ipc"].filter { !Files.exists("/proc/self/ns/\($0)") }
            .map { "\($0) namespaces" }
        let known = (try? Files.read("/proc/filesystems")) ?? []
        if !String(decoding: known, as: UTF8.self).contains("\toverlay\n") { missing.append("overlayfs") }
        let groups: String
        if Files.exists("/sys/fs/cgroup/cgroup.controllers") {
            groups = "control groups of version 2"
        } else if Files.isDirectory("/sys/fs/cgroup/memory") || Files.isDirectory("/sys/fs/cgroup/systemd") {
            groups = "control groups of version 1"
        } else {
            return .fail("kernel", "no control groups are mounted", "mount cgroup2 at /sys/fs/cgroup")
        }
        guard missing.isEmpty else {
            return .fail(
                "kernel", "it lacks \(missing.joined(separator: ", "))",
                "load the module 'overlay', or use another kernel")
        }
        guard HostPaths.runsAsRoot else {
            return .warn("kernel", "\(groups) and namespaces; containers need root", "run the server as root")
        }
        return .ok("kernel", "\(groups), namespaces and overlayfs")
    }

    private func run(_ program: String, _ arguments: [String]) -> (outcome: Child.Outcome, lines: [String])? {
        guard Files.exists(program),
            let child = try? Child.start(
                program, arguments, environment: ["LC_ALL": "C", "PATH": "/usr/sbin:/usr/bin:/sbin:/bin"])
        else { return nil }
        var lines: [String] = []
        let outcome = child.finish(limit: .seconds(10)) { stream, line in
            if stream == .stdout { lines.append(line) }
        }
        return (outcome, lines)
    }
}
