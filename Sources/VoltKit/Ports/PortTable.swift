internal import Glibc
public import VoltCore
public import VoltSystem
public import VoltWorkload

/// The published ports of this host. They belong to a workload, or to an instance that is of none, and are owned by a
/// process that outlives what they lead to: a workload that changes its kind keeps its listening sockets.
public struct PortTable: Sendable {
    /// The directory of the sockets, the same for every tool of the host.
    private let directory: String
    /// Where versions of this tool before that had them; the port processes of those go on there.
    private let earlier: String?
    private let tool: String
    private let start: @Sendable (_ key: String, _ socket: String) throws -> Void

    /// - Parameters:
    ///   - paths: those of the tool; the sockets are in `ports` beside the tools' own runtime directories.
    ///   - tool: the tool, such as `container`.
    ///   - earlier: see the property.
    ///   - start: starts the tool's port process with a socket, outside of everything that this process belongs to.
    public init(
        paths: HostPaths, tool: String, earlier: String? = nil,
        start: @escaping @Sendable (_ key: String, _ socket: String) throws -> Void
    ) {
        directory = "\(paths.hostRuntime)/ports"
        self.earlier = earlier
        self.tool = tool
        self.start = start
    }

    /// The key of an instance that is of no workload. No workload has a dot in its name.
    public func key(of instance: String) -> String { "\(tool).\(instance)" }

    // MARK: Pointing

    /// Points the ports of a key to an instance, in one step; those that are not among these are closed.
    ///
    /// - Parameter namespace: the network namespace of the instance, a file below /proc.
    /// - Throws: `VoltError` with code `conflict` when a port is taken.
    public func point(_ key: String, _ ports: [PublishedPort], to instance: String, namespace: String)
        throws(VoltError)
    {
        if ports.isEmpty { return try close(key) }
        let owner = PortOwner(ports: ports, instance: instance, tool: tool)
        try send(owner, key: key, namespace: namespace)
        try Files.replace("\(socket(key)).settings", with: try owner.encoded(), mode: 0o600)
    }

    /// Closes the ports of a key, unless they lead to what another tool has started meanwhile.
    public func close(_ key: String) throws(VoltError) {
        if let owner = owner(of: key), owner.tool != tool { return }
        let socket = socket(key)
        // First, so that no other command starts the port process again.
        try Files.remove("\(socket).settings")
        do throws(VoltError) { _ = try ControlSocket.ask(socket, .quit) } catch
            where error.code == .notFound
        {
            // Nothing was published, or the process is gone.
        }
        try Files.remove(socket)
        guard let earlier else { return }
        for name in [key, "\(key).settings"] { try Files.remove("\(earlier)/\(name)") }
    }

    /// Whether published ports lead to an instance of this tool.
    public func leads(_ key: String, to instance: String) -> Bool {
        guard let owner = owner(of: key) else { return false }
        return owner.instance == instance && owner.tool == tool
    }

    /// Starts port processes that were killed, and with an instance points those that lead to it to its network, which
    /// is a new one.
    ///
    /// - Parameter namespace: the network namespace of an instance, or nil when it does not run.
    public func repair(of instance: String? = nil, namespace: (_ instance: String) -> String?) {
        for key in keys {
            guard let owner = owner(of: key), owner.tool == tool,
                instance == nil ? !answers(socket(key)) : owner.instance == instance,
                let namespace = namespace(owner.instance)
            else { continue }
            // What cannot be published now, such as a port that another program took, must not hide the
            // instances from their user.
            guard (try? send(owner, key: key, namespace: namespace)) != nil else { continue }
            try? Files.replace("\(socket(key)).settings", with: owner.encoded(), mode: 0o600)
        }
    }

    /// Waits until the callers that the ports' former instance still serves are done, at most for a time.
    ///
    /// A connection that has not moved a byte for 200 ms is idle; its client makes a new one.
    public func drain(_ key: String, namespace: String, seconds: Int64) {
        let deadline = ContinuousClock.now + .seconds(seconds)
        while ContinuousClock.now < deadline {
            guard let answer = try? ControlSocket.ask(socket(key), .busy(namespace: namespace)),
                answer != "ok 0"
            else { return }
            usleep(10_000)
        }
    }

    /// Points ports that lead to an instance to its new network, in a supervisor that took the place of one that was
    /// killed. A port process that was killed too is started again by the next command.
    ///
    /// - Parameter socket: that of the port process.
    public static func repoint(_ socket: String, of instance: String, namespace: String) {
        guard let bytes = try? Files.read("\(socket).settings", limit: ControlSocket.limit),
            let owner = PortOwner(decoding: bytes), owner.instance == instance
        else { return }
        _ = try? ControlSocket.ask(socket, .set(owner, namespace: namespace))
    }

    // MARK: Where they are

    /// The socket of the port process of a key, whether it runs or not.
    public func socket(_ key: String) -> String {
        let current = "\(directory)/\(key)"
        guard let earlier, !Files.exists(current), !Files.exists("\(current).settings") else {
            return current
        }
        let old = "\(earlier)/\(key)"
        return Files.exists(old) || Files.exists("\(old).settings") ? old : current
    }

    private var keys: Set<String> {
        var keys: Set<String> = []
        for folder in [directory, earlier].compactMap(\.self) {
            for file in (try? Files.list(folder)) ?? [] where file.hasSuffix(".settings") {
                keys.insert(String(file.dropLast(9)))
            }
        }
        return keys
    }

    private func owner(of key: String) -> PortOwner? {
        guard let bytes = try? Files.read("\(socket(key)).settings", limit: ControlSocket.limit) else {
            return nil
        }
        return PortOwner(decoding: bytes)
    }

    private func answers(_ socket: String) -> Bool { (try? ControlSocket.ask(socket, .status)) != nil }

    // MARK: Asking

    private func send(_ owner: PortOwner, key: String, namespace: String) throws(VoltError) {
        let request = PortRequest.set(owner, namespace: namespace)
        let answer: String
        do throws(VoltError) {
            answer = try ControlSocket.ask(socket(key), request)
        } catch  where error.code == .notFound {
            try startProcess(key)
            answer = try ControlSocket.ask(socket(key), request)
        }
        guard !answer.hasPrefix("ok") else { return }
        let parts = answer.split(separator: " ", maxSplits: 2)
        let code = parts.count > 1 ? Int32(parts[1]).flatMap(ExitCode.init) : nil
        let reason = parts.count > 2 ? String(parts[2]) : answer
        if code == .refused {
            throw VoltError(
                .refused, reason, hint: "use the version of Volt that published the ports of '\(key)'")
        }
        guard code == .conflict else { throw VoltError(code ?? .failed, reason) }
        let holder = owner.ports.lazy.compactMap { self.holder(of: $0.hostPort, except: key) }.first
        throw VoltError(
            .conflict, holder.map { "\(reason) by \($0)" } ?? reason,
            hint: "publish another port, or stop what holds it")
    }

    /// Who has published a port, for people.
    private func holder(of port: UInt16, except own: String) -> String? {
        for key in keys.sorted() where key != own {
            guard let owner = owner(of: key), owner.ports.contains(where: { $0.hostPort == port }) else {
                continue
            }
            return key == "\(owner.tool).\(owner.instance)"
                ? "\(owner.tool) '\(owner.instance)'" : "workload '\(key)'"
        }
        return nil
    }

    /// Starts the port process of a key, always in the directory of the host.
    private func startProcess(_ key: String) throws(VoltError) {
        try Files.makePrivateDirectory(directory)
        let socket = "\(directory)/\(key)"
        try Files.remove(socket)
        if let earlier { try lead("\(earlier)/\(key)", to: socket) }
        do { try start(key, socket) } catch { throw error as? VoltError ?? VoltError(.failed, "\(error)") }
        let deadline = ContinuousClock.now + .seconds(10)
        while !answers(socket) {
            guard ContinuousClock.now < deadline else {
                throw VoltError(.failed, "the port process of '\(key)' did not start within 10 s")
            }
            usleep(1_000)
        }
    }

    /// Moves what an earlier version had to the directory of the host, and leaves links there: a supervisor of that
    /// version knows the ports by that path.
    private func lead(_ old: String, to new: String) throws(VoltError) {
        // First: from here on the new place counts, whenever this is killed.
        if !Files.exists("\(new).settings"), Files.exists("\(old).settings") {
            let bytes = try Files.read("\(old).settings", limit: ControlSocket.limit)
            try Files.replace("\(new).settings", with: bytes, mode: 0o600)
        }
        for suffix in ["", ".settings"] where Files.exists(old + suffix) {
            try Files.remove(old + suffix)
            guard symlink(new + suffix, old + suffix) == 0 else {
                throw SystemError.current.during("cannot make '\(old)\(suffix)'")
            }
        }
    }
}
