internal import VoltCore
internal import VoltWorkload
internal import VoltYAML

/// Reads the spec of a container.
struct SpecReader {
    let spec: YAMLNode

    init(_ spec: YAMLNode) { self.spec = spec }

    func read() throws(VoltError) -> ContainerManifest {
        let fields = try spec.fields([
            "image", "build", "rootfs", "command", "env", "ports", "volumes", "secrets", "resources",
            "restart", "health", "security",
        ])
        var manifest = ContainerManifest(source: try source(fields))
        if let command = fields["command"] { manifest.command = try words(command) }
        if let environment = fields["env"] { manifest.environment = try variables(environment) }
        if let ports = fields["ports"] { manifest.ports = try self.ports(ports) }
        if let volumes = fields["volumes"] { manifest.volumes = try self.volumes(volumes) }
        if let secrets = fields["secrets"] {
            manifest.secrets = try SecretReader.read(secrets, volumes: manifest.volumes)
        }
        if let resources = fields["resources"] { manifest.limits = try limits(resources) }
        if let restart = fields["restart"] {
            guard let policy = RestartPolicy(rawValue: try restart.string()) else {
                throw restart.failure(
                    "'\(try restart.string())' is not a restart policy",
                    hint: "write no, on-failure or always")
            }
            manifest.restart = policy
        }
        if let health = fields["health"] { manifest.health = try HealthReader.read(health) }
        if let security = fields["security"] { try SecurityReader.read(security, into: &manifest) }
        return manifest
    }

    private func source(_ fields: [String: YAMLNode]) throws(VoltError) -> ContainerManifest.Source {
        let given = ["image", "build", "rootfs"].filter { fields[$0] != nil }
        guard given.count == 1, let key = given.first, let node = fields[key] else {
            throw spec.failure(
                given.isEmpty
                    ? "one of image, build and rootfs is missing"
                    : "\(given.joined(separator: " and ")) exclude each other")
        }
        let text = try node.string()
        guard !text.isEmpty else { throw node.failure("'\(key)' is empty") }
        switch key {
        case "image": return .image(text)
        case "build": return .build(path: try Self.relative(node, text))
        default: return .rootfs(path: try Self.relative(node, text))
        }
    }

    private func words(_ node: YAMLNode) throws(VoltError) -> [String] {
        guard case .sequence(let items) = node.content else {
            throw node.failure(
                "expected a list of words, found a single value",
                hint: "write [\"/usr/bin/web\", \"--port\", \"80\"]")
        }
        var words: [String] = []
        for item in items { words.append(try clean(item)) }
        guard !words.isEmpty else { throw node.failure("the command is empty") }
        return words
    }

    private func variables(_ node: YAMLNode) throws(VoltError) -> [String: String] {
        var values: [String: String] = [:]
        for entry in try node.entries() {
            guard !entry.key.isEmpty, !entry.key.contains("="), !entry.key.utf8.contains(0) else {
                throw entry.value.failure("'\(entry.key)' is not the name of a variable")
            }
            values[entry.key] = try clean(entry.value)
        }
        return values
    }

    private func clean(_ node: YAMLNode) throws(VoltError) -> String {
        let text = try node.string()
        guard !text.utf8.contains(0) else { throw node.failure("a NUL character cannot be passed on") }
        return text
    }

    private func ports(_ node: YAMLNode) throws(VoltError) -> [PublishedPort] {
        var ports: [PublishedPort] = []
        for item in try node.items() {
            let port = try item.parsed(PortText.parse)
            if ports.contains(where: {
                $0.hostPort == port.hostPort
                    && ($0.address == port.address || $0.address == "0.0.0.0" || port.address == "0.0.0.0")
            }) {
                throw item.failure("port \(port.hostPort) of the host is published twice")
            }
            ports.append(port)
        }
        return ports
    }

    private func volumes(_ node: YAMLNode) throws(VoltError) -> [VolumeMount] {
        var volumes: [VolumeMount] = []
        for item in try node.items() {
            let volume = try self.volume(item, try item.string())
            if volumes.contains(where: { $0.target == volume.target }) {
                throw item.failure("'\(volume.target)' is mounted twice")
            }
            volumes.append(volume)
        }
        return volumes
    }

    private func volume(_ node: YAMLNode, _ text: String) throws(VoltError) -> VolumeMount {
        let hint =
            "write name:/path, ./path:/path or either with :ro; a name may have :suid, :dev and :nocopy"
        let parts = text.split(separator: ":", omittingEmptySubsequences: false).map(String.init)
        guard parts.count == 2 || parts.count == 3 else {
            throw node.failure("'\(text)' is not a volume", hint: hint)
        }
        let target = parts[1]
        guard target.hasPrefix("/"), target != "/", !target.utf8.contains(0),
            !target.split(separator: "/").contains(where: { $0 == ".." || $0 == "." })
        else { throw node.failure("'\(target)' is not an absolute path below '/'", hint: hint) }
        guard let mode = parts.count == 3 ? VolumeMode(parts[2]) : VolumeMode() else {
            throw node.failure(
                "'\(parts[2])' is not a mode of a volume",
                hint: "write ro or rw; suid, dev and nocopy can follow a comma")
        }
        if parts[0].hasPrefix("/") {
            throw node.failure(
                "'\(parts[0])' is a path of the host, which a manifest cannot mount",
                hint: "use a volume by name, or a path of the source such as ./conf")
        }
        if parts[0].hasPrefix(".") {
            guard !mode.isWritable else {
                throw node.failure(
                    "'\(parts[0])' is a part of the source and cannot be mounted writable",
                    hint: "use a volume by name for what the workload writes")
            }
            guard !mode.isForVolumes else {
                throw node.failure(
                    "'\(parts[0])' is a part of the source: 'suid', 'dev' and 'nocopy' are for volumes by name",
                    hint: "write \(parts[0]):\(target)")
            }
            return VolumeMount(
                source: try Self.relative(node, parts[0]), isVolume: false, target: target, readOnly: true)
        }
        guard Name.isValid(parts[0]), let name = try? Name(parts[0]) else {
            throw node.failure(
                "'\(parts[0])' is not the name of a volume", hint: "\(hint); names are of a-z, 0-9 and '-'")
        }
        return VolumeMount(
            source: name.text, isVolume: true, target: target, readOnly: mode.readOnly,
            allowsSetuid: mode.allowsSetuid, allowsDevices: mode.allowsDevices, staysEmpty: mode.staysEmpty)
    }

    /// A path below the source, without `.` and empty parts; `""` is the source itself.
    static func relative(_ node: YAMLNode, _ text: String) throws(VoltError) -> String {
        let parts = text.split(separator: "/").filter { $0 != "." }
        guard !text.hasPrefix("/"), !parts.contains(".."), !text.utf8.contains(0) else {
            throw node.failure(
                "'\(text)' leads out of the source", hint: "write a path relative to the root of the source")
        }
        return parts.joined(separator: "/")
    }

    private func limits(_ node: YAMLNode) throws(VoltError) -> ResourceLimits {
        var limits = ResourceLimits()
        let fields = try node.fields(["memory", "cpus", "pids"])
        if let memory = fields["memory"] {
            limits.memory = try memory.parsed { text throws(VoltError) in try ByteSize(text).bytes }
            // Less does not even hold the first process.
            guard limits.memory ?? 0 >= 1 << 20 else { throw memory.failure("memory is less than 1M") }
        }
        if let cpus = fields["cpus"] {
            let value = try cpus.number()
            guard value >= 0.01, value <= 4096 else {
                throw cpus.failure("cpus is not between 0.01 and 4096")
            }
            limits.cpus = value
        }
        if let pids = fields["pids"] {
            let value = try pids.integer()
            guard value >= 1, value <= 4_194_304 else {
                throw pids.failure("pids is not between 1 and 4194304")
            }
            limits.pids = value
        }
        return limits
    }
}

/// `[ADDRESS:]HOST:CONTAINER[/tcp]`.
enum PortText {
    static func parse(_ text: String) throws(VoltError) -> PublishedPort {
        let failure = VoltError(
            .usage, "'\(text)' is not a published port",
            hint: "write HOST:CONTAINER, such as 8080:80 or 127.0.0.1:8080:80")
        var rest = text[...]
        if let slash = rest.lastIndex(of: "/") {
            let transport = rest[rest.index(after: slash)...]
            guard transport == "tcp" else {
                throw transport == "udp"
                    ? VoltError(
                        .usage, "'\(text)': publishing a udp port is not supported yet",
                        hint: "publish tcp ports only") : failure
            }
            rest = rest[..<slash]
        }
        guard let last = rest.lastIndex(of: ":"), let container = number(rest[rest.index(after: last)...])
        else { throw failure }
        rest = rest[..<last]
        guard let colon = rest.lastIndex(of: ":") else {
            guard let host = number(rest) else { throw failure }
            return .init(address: "0.0.0.0", hostPort: host, containerPort: container)
        }
        guard let host = number(rest[rest.index(after: colon)...]) else { throw failure }
        var address = rest[..<colon]
        if address.hasPrefix("["), address.hasSuffix("]") { address = address.dropFirst().dropLast() }
        guard isAddress(address) else { throw failure }
        return .init(address: String(address), hostPort: host, containerPort: container)
    }

    private static func number(_ text: Substring) -> UInt16? {
        guard (1...5).contains(text.utf8.count), text.utf8.allSatisfy({ (48...57).contains($0) }),
            let value = UInt16(text), value > 0
        else { return nil }
        return value
    }

    private static func isAddress(_ text: Substring) -> Bool {
        if text.contains(":") {
            return text.utf8.allSatisfy { Array("0123456789abcdefABCDEF:.".utf8).contains($0) }
        }
        let parts = text.split(separator: ".", omittingEmptySubsequences: false)
        return parts.count == 4 && parts.allSatisfy { (1...3).contains($0.utf8.count) && UInt8($0) != nil }
    }
}
