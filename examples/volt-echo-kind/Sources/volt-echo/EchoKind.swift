import VoltWorkloadKit

/// Everything that an echo is started from.
struct EchoSpec: Sendable {
    var workload: Name
    var text: String
    var port: Int

    /// The same on disk.
    var settings: Settings {
        var settings = Settings()
        settings.add("workload", workload.text)
        settings.add("text", text)
        settings.add("port", String(port))
        return settings
    }
}

extension EchoSpec {
    init(_ settings: Settings) throws(VoltError) {
        self.init(
            workload: try Name(try settings.text("workload")), text: try settings.text("text"),
            port: try settings.number("port"))
    }
}

/// The instances of `kind: echo`: supervised processes, each in a network of its own.
struct EchoRuntime: RolloutRuntime {
    let instances: SupervisedInstances

    /// Reads the manifest; each error names file, line and column.
    func prepare(_ request: WorkloadRequest, log: @escaping @Sendable (String, String) -> Void) async throws
        -> RolloutPlan<EchoSpec>
    {
        let bytes = try Files.read(request.file, limit: 64 << 10)
        let name = Files.lastComponent(of: request.file)
        let (manifest, node) = try Manifest.read(bytes, file: name, kind: "echo")
        let fields = try node.fields(["text", "port"])
        let text = try Manifest.require("text", in: fields, of: node).string()
        let port = try Manifest.require("port", in: fields, of: node)
        guard (1...65535).contains(try port.integer()) else {
            throw port.failure("'\(try port.string())' is not a port", hint: "write 1 to 65535")
        }
        let spec = EchoSpec(workload: request.workload, text: text, port: try port.integer())
        var plan = RolloutPlan(
            spec: spec, fingerprint: try SupervisedInstances.digest(of: spec.settings), checksHealth: true)
        plan.after = manifest.after
        return plan
    }

    /// Starts an instance beside those that are there, and returns when its process was executed.
    func start(_ spec: EchoSpec, as instance: Name) async throws -> Digest {
        var process = ProcessLauncher(command: [try Processes.helper("volt-echo--run"), "serve"])
        process.environment = ["TEXT=\(spec.text)"]
        process.healthCheck = HealthCheck(probe: .http(port: 8080, path: "/"))
        return try instances.start(instance, of: spec.workload, from: spec.settings, process)
    }

    /// Points the port of the host to an instance.
    func publish(_ workload: Name, to instance: Name) async throws {
        guard let spec = try await state(of: instance)?.spec else { return }
        let port = PublishedPort(hostPort: UInt16(spec.port), containerPort: 8080)
        try instances.publish([port], of: workload, to: instance)
    }

    /// The reasons of `replace` in a dry run.
    func differences(_ old: EchoSpec, _ new: EchoSpec) -> [String] {
        (old.text == new.text ? [] : ["text"]) + (old.port == new.port ? [] : ["port"])
    }

    // The kit's, as they are.

    func instances(of workload: Name) async throws -> [Name] { try instances.of(workload) }
    func state(of instance: Name) async throws -> InstanceState<EchoSpec>? {
        try instances.state(of: instance) { settings throws(VoltError) in try EchoSpec(settings) }
    }
    func withdraw(_ workload: Name) async throws { try instances.ports.close(workload.text) }
    func remove(_ instance: Name) async throws { try instances.remove(instance) }
    func lastLines(of instance: Name, count: Int) async throws -> [(stream: String, line: String)] {
        try instances.lastLines(of: instance, count: count)
    }
}
