internal import ArgumentParser
internal import ContainerEngine
internal import VoltCLI
internal import VoltCore
internal import VoltSystem
internal import VoltWorkload

/// The options of `run` and `create`, and what they make of an image.
struct ContainerOptions: ParsableArguments {
    @Option(help: "The name of the container; one is made up when it is not given.")
    var name: String?
    @Option(
        name: [.short, .long],
        help: ArgumentHelp("A variable, as NAME=VALUE, or NAME to hand on.", valueName: "variable"))
    var env: [String] = []
    @Option(
        name: [.short, .long],
        help: ArgumentHelp(
            "A mount: NAME:/path for a volume, /host:/path for a directory; ':ro' makes it read-only. Setuid "
                + "programs and devices of a volume work with ':suid' and ':dev'. A new volume begins with what the "
                + "image has there, unless ':nocopy' is said. Words are joined by commas.",
            valueName: "mount"))
    var volume: [String] = []
    @Option(
        name: [.customShort("p"), .long],
        help: ArgumentHelp("A published port: [ADDRESS:]HOST:CONTAINER.", valueName: "port"))
    var publish: [String] = []
    @Flag(help: "Make the root file system read-only.")
    var readOnly = false
    @Option(name: [.customShort("u"), .long], help: "The user: 1000, 1000:1000 or a name of the image.")
    var user: String?
    @Option(name: [.customShort("w"), .long], help: "The working directory in the container.")
    var workdir: String?
    @Option(help: "The program in place of the image's entrypoint.")
    var entrypoint: String?
    @Option(help: "A limit of memory, such as 256M.")
    var memory: String?
    @Option(help: "A limit of processors, such as 0.5.")
    var cpus: Double?
    @Option(help: "A limit of processes and threads.")
    var pids: Int?
    @Option(help: "When the payload is started again: no, on-failure or always.")
    var restart = "no"
    @Option(
        help: ArgumentHelp(
            "How to tell that the payload works: http:PORT/PATH, tcp:PORT, or a command for /bin/sh.",
            valueName: "check"))
    var health: String?
    @Option(help: ArgumentHelp("The time between two health checks. Default: 5s.", valueName: "duration"))
    var healthInterval: String?
    @OptionGroup var trust: TrustOptions
    @Argument(help: "The image.")
    var image: String
    @Argument(parsing: .captureForPassthrough, help: "The command in place of the image's.")
    var command: [String] = []

    /// The definition of the container.
    func spec(_ context: ToolContext) throws -> ContainerSpec {
        let found = try ContainerHost.images(context, trust.trust(context)).image(image) {
            Output.note("pulling '\(image)'")
        }
        let words = command.first == "--" ? Array(command.dropFirst()) : command
        let entry = entrypoint.map { [$0] } ?? found.config.entrypoint
        let tail = words.isEmpty && entrypoint == nil ? found.config.command : words
        guard !(entry + tail).isEmpty else {
            throw VoltError(.usage, "image '\(image)' names no command", hint: "write one after the image")
        }
        let text = try name ?? "\(Self.base(image))-\(String(UInt32.random(in: 0x1000...0xFFFF), radix: 16))"
        var spec = ContainerSpec(
            name: try Name(text, of: "container"), image: image, lowers: found.lowers, command: entry + tail)
        spec.imageDigest = found.digest
        for variable in found.config.environment + env {
            let parts = variable.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            guard let key = parts.first, !key.isEmpty else {
                throw VoltError(.usage, "'\(variable)' is not a variable", hint: "write NAME=VALUE")
            }
            spec.environment[String(key)] =
                parts.count == 2 ? String(parts[1]) : context.environment[String(key)]
        }
        spec.workingDirectory =
            workdir ?? (found.config.workingDirectory.isEmpty ? "/" : found.config.workingDirectory)
        spec.user = try user.map(Self.user) ?? found.config.user
        spec.stopSignal = found.config.stopSignal ?? "SIGTERM"
        spec.mounts = try volume.map(Self.mount)
        spec.ports = try publish.map(Self.port)
        spec.readOnly = readOnly
        spec.limits = ResourceLimits(
            memory: try memory.map { try ByteSize($0).bytes }, cpus: cpus, pids: pids)
        // The kernel counts in hundredths.
        if let cpus, !(cpus >= 0.01 && cpus <= 1024) {
            throw VoltError(.usage, "'\(cpus)' is not a number of processors", hint: "write 0.5 or 2")
        }
        // The most that Linux has (PID_MAX_LIMIT).
        if let pids, !(1...4_194_304).contains(pids) {
            throw VoltError(.usage, "'\(pids)' is not a number of processes", hint: "write 1 to 4194304")
        }
        guard let policy = RestartPolicy(rawValue: restart) else {
            throw VoltError(
                .usage, "'\(restart)' is not a restart policy", hint: "use no, on-failure or always")
        }
        spec.restart = policy
        spec.health = try health.map(check)
        if health == nil, healthInterval != nil {
            throw VoltError(.usage, "'--health-interval' has no check to time", hint: "add --health CHECK")
        }
        return spec
    }

    private func check(_ text: String) throws(VoltError) -> HealthCheck {
        let failure = VoltError(
            .usage, "'\(text)' is not a health check", hint: "write http:80/healthz, tcp:80 or a command")
        var check = HealthCheck(probe: .exec(["/bin/sh", "-c", text]))
        if text.hasPrefix("http:") {
            let digits = text.dropFirst(5).prefix { $0.isNumber }
            guard let port = UInt16(digits), port > 0 else { throw failure }
            let path = String(text.dropFirst(5 + digits.count))
            guard path.isEmpty || path.hasPrefix("/"), path.utf8.allSatisfy({ $0 > 32 && $0 != 127 }) else {
                throw failure
            }
            check.probe = .http(port: port, path: path.isEmpty ? "/" : path)
        } else if text.hasPrefix("tcp:") {
            guard let port = UInt16(text.dropFirst(4)), port > 0 else { throw failure }
            check.probe = .tcp(port: port)
        }
        if let healthInterval {
            check.intervalMilliseconds = try DurationText.parse(healthInterval).milliseconds
        }
        return check
    }

    /// A user as it is written; an empty one, such as of a variable that is not set, would be root without a word.
    static func user(_ text: String) throws(VoltError) -> String {
        guard !text.isEmpty, !text.hasPrefix(":") else {
            throw VoltError(
                .usage, "'\(text)' names no user", hint: "write a number or a name, or leave --user out")
        }
        return text
    }

    private static func base(_ image: String) throws(VoltError) -> String {
        let last = image.split(separator: "/").last ?? ""
        let name = last.prefix { $0 != ":" && $0 != "@" }.lowercased().filter {
            $0.isASCII && ($0.isLetter || $0.isNumber)
        }
        return name.isEmpty ? "container" : String(name.prefix(40))
    }

    private static func mount(_ text: String) throws(VoltError) -> VolumeMount {
        var parts = text.split(separator: ":", omittingEmptySubsequences: false).map(String.init)
        let failure = VoltError(
            .usage, "'\(text)' is not a mount",
            hint:
                "write NAME:/path, /host:/path, or either with :ro; a volume may have :suid, :dev and :nocopy"
        )
        var mode = VolumeMode()
        if parts.count == 3 {
            guard let said = VolumeMode(parts.removeLast()) else { throw failure }
            mode = said
        }
        // Along '..' it would be another directory of the image that a new volume begins with, or all of it.
        guard parts.count == 2, parts[1].hasPrefix("/"),
            case let names = parts[1].split(separator: "/"), !names.isEmpty,
            !names.contains(where: { $0 == ".." || $0 == "." })
        else { throw failure }
        let isPath = parts[0].hasPrefix("/") || parts[0].hasPrefix(".")
        if !isPath { _ = try Name(parts[0], of: "volume") }
        guard !isPath || !mode.isForVolumes else {
            throw VoltError(
                .usage,
                "'\(text)': 'suid', 'dev' and 'nocopy' are for volumes, and a directory is mounted as the host has it",
                hint: "write \(parts[0]):\(parts[1])")
        }
        return VolumeMount(
            source: isPath ? Files.absolute(parts[0], from: Files.currentDirectory) : parts[0],
            isVolume: !isPath,
            target: parts[1], readOnly: mode.readOnly, allowsSetuid: mode.allowsSetuid,
            allowsDevices: mode.allowsDevices, staysEmpty: mode.staysEmpty)
    }

    private static func port(_ text: String) throws(VoltError) -> PublishedPort {
        let failure = VoltError(.usage, "'\(text)' is not a port", hint: "write 8080:80 or 127.0.0.1:8080:80")
        var rest = text
        if rest.hasSuffix("/tcp") { rest.removeLast(4) }
        guard !rest.hasSuffix("/udp") else { throw VoltError(.usage, "'\(text)': only tcp can be published") }
        let parts = rest.split(separator: ":", omittingEmptySubsequences: false).map(String.init)
        guard parts.count >= 2, let inner = UInt16(parts[parts.count - 1]),
            let host = UInt16(parts[parts.count - 2]),
            inner > 0, host > 0
        else { throw failure }
        var address = parts.dropLast(2).joined(separator: ":")
        if address.hasPrefix("["), address.hasSuffix("]") { address = String(address.dropFirst().dropLast()) }
        return PublishedPort(
            address: address.isEmpty ? "0.0.0.0" : address, hostPort: host, containerPort: inner)
    }
}

/// One or more containers by name, each tried: a failure does not keep the others from their turn.
struct ContainerNames: ParsableArguments {
    @Argument(help: "The names of the containers.")
    var names: [String]

    /// Does something to each and prints its name; the name of a workload means its container.
    func eachOrOfWorkload(_ body: (ContainerRuntime, Name) throws -> Void) throws {
        try Self.eachOrOfWorkload(names, body)
    }

    /// Does something to each of these and prints its name.
    static func eachOrOfWorkload(_ names: [String], _ body: (ContainerRuntime, Name) throws -> Void) throws {
        let context = try ToolContext(tool: VoltContainer.tool.name)
        let runtime = try ContainerHost.runtime(context)
        try context.each(names) { text in
            let name = try ContainerHost.container(text, in: runtime)
            try body(runtime, name)
            return name.text
        }
    }

    /// Does something to each and prints its name.
    func each(_ body: (ContainerRuntime, Name) throws -> Void) throws {
        let context = try ToolContext(tool: VoltContainer.tool.name)
        let runtime = try ContainerHost.runtime(context)
        try context.each(names) { text in
            try body(runtime, try Name(text, of: "container"))
            return text
        }
    }
}
