internal import CVoltSystem
internal import Glibc
public import VoltCore
internal import VoltSystem

/// Who a payload is and what it may do, the same for the payload itself, `exec` and health checks.
public struct Confinement: Sendable {
    /// The program and its arguments.
    public var command: [String]
    /// The whole environment, as `NAME=value`.
    public var environment: [String]
    /// The user as written.
    public var user: String
    /// The working directory; made when it is missing.
    public var directory: String
    /// The bounding set.
    public var capabilities: UInt64
    /// The capabilities that the user asked for: another user than root gets these and no others.
    public var added: UInt64

    /// - Parameters: see the properties.
    /// - Throws: `VoltError` when there is no command, or the working directory is not absolute.
    public init(
        command: [String], environment: [String], user: String, directory: String, capabilities: UInt64,
        added: UInt64
    ) throws(VoltError) {
        guard !command.isEmpty else { throw VoltError(.failed, "the settings name no command") }
        guard directory.hasPrefix("/") else {
            throw VoltError(.failed, "the working directory '\(directory)' is not absolute")
        }
        self.command = command
        self.environment = environment
        self.user = user
        self.directory = directory
        self.capabilities = capabilities
        self.added = added
    }

    /// Takes the privileges away that nothing in the container may have: called once, before anything of
    /// the image runs. The caller keeps its user and capabilities.
    public func confineSelf() throws(VoltError) {
        guard volt_no_new_privileges() == 0, volt_install_filter(capabilities) == 0 else {
            throw SystemError.current.during("cannot install the filter of system calls")
        }
    }

    /// Looks the user up in the image and adds HOME. Called where the container's own rules for devices hold: the
    /// container chooses what stands at these names.
    public mutating func resolveUser() throws(VoltError) -> PayloadUser {
        let found = try PayloadUser(
            user, passwd: (try? Files.read(regular: "/etc/passwd", limit: 4 << 20)) ?? [],
            groupFile: (try? Files.read(regular: "/etc/group", limit: 4 << 20)) ?? [])
        if !environment.contains(where: { $0.hasPrefix("HOME=") }) {
            environment.append("HOME=\(found.home)")
        }
        return found
    }

    /// Becomes the payload; returns only when that failed.
    ///
    /// - Returns: the exit code 125, 126 or 127 and the reason.
    public func become(_ identity: PayloadUser) -> (code: Int32, reason: String) {
        func failure(_ what: String, _ code: Int32 = 125) -> (Int32, String) {
            (code, "\(what): \(SystemError.current.reason)")
        }
        guard volt_own_null() == 0 else { return failure("cannot replace '/dev/null'") }
        if volt_enter(directory) != 0 {
            try? Files.makeDirectory(directory)
            if volt_enter(directory) != 0 { return failure("cannot enter '\(directory)'") }
        }
        raiseOpenFiles()
        let isRoot = identity.user == 0
        let mask = isRoot ? capabilities : capabilities & added
        guard volt_limit_bounding(capabilities) == 0 else { return failure("cannot limit the capabilities") }
        guard volt_keep_capabilities(isRoot || mask == 0 ? 0 : 1) == 0,
            volt_set_user(identity.user, identity.group, identity.groups, identity.groups.count) == 0
        else { return failure("cannot become user \(identity.user)") }
        guard volt_set_capabilities(mask) == 0, isRoot || volt_raise_ambient(mask) == 0 else {
            return failure("cannot set the capabilities")
        }
        // To become another user has undone it, and now the payload may do what this process may.
        guard volt_set_dumpable(0) == 0 else { return failure("cannot hide process \(getpid())") }
        volt_close_on_exec(3)
        let (code, reason) = execute()
        return (code, reason)
    }

    /// The most files that a payload may have open at once, unless the host has less for everybody (fs.nr_open).
    private static let openFiles: rlim_t = 1_048_576

    /// Sets the limit of open files, the same whoever started the container; the payload may lower it.
    private func raiseOpenFiles() {
        var limit = rlimit(rlim_cur: Self.openFiles, rlim_max: Self.openFiles)
        if setrlimit(Int32(RLIMIT_NOFILE.rawValue), &limit) == 0 { return }
        guard getrlimit(Int32(RLIMIT_NOFILE.rawValue), &limit) == 0 else { return }
        limit.rlim_cur = limit.rlim_max
        _ = setrlimit(Int32(RLIMIT_NOFILE.rawValue), &limit)
    }

    private func execute() -> (Int32, String) {
        let name = command[0]
        var candidates = [name]
        if !name.contains("/") {
            let path = environment.last { $0.hasPrefix("PATH=") }?.dropFirst(5) ?? "/usr/bin:/bin"
            candidates = path.split(separator: ":").map { "\($0)/\(name)" }
        }
        var error = ENOENT
        let arguments = command.map { strdup($0) } + [nil]
        let variables = environment.map { strdup($0) } + [nil]
        for candidate in candidates where !name.isEmpty {
            execve(candidate, arguments, variables)
            if errno != ENOENT && errno != ENOTDIR { error = errno }
        }
        let reason = SystemError(number: error).reason
        return (error == ENOENT ? 127 : 126, "cannot run '\(name)': \(reason)")
    }
}
