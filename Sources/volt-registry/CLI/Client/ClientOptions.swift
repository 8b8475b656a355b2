internal import ArgumentParser
internal import VoltCLI
internal import VoltCore
internal import VoltOCI
internal import VoltRegistry
internal import VoltSystem

/// How registries are reached, and as whom.
struct ClientOptions: ParsableArguments {
    @Flag(help: "Speak plain HTTP. For registries of this host it is found out.") var plainHttp = false
    @Option(help: ArgumentHelp("Trust the authorities of this PEM file.", valueName: "file")) var caFile:
        String?
    @Option(help: ArgumentHelp("Read and write logins in this file, not in Docker's.", valueName: "file"))
    var authFile: String?

    func configuration() throws -> DockerConfiguration {
        let context = try ToolContext(tool: RegistryTool.tool.name)
        return try DockerConfiguration(
            environment: context.environment,
            file: authFile.map { Files.absolute($0, from: Files.currentDirectory) })
    }

    var settings: RegistryEndpoint.Settings {
        get throws {
            let environment = try ToolContext(tool: RegistryTool.tool.name).environment
            var settings = RegistryEndpoint.Settings()
            settings.isPlain = plainHttp
            settings.caFile = caFile.map { Files.absolute($0, from: Files.currentDirectory) }
            settings.proxy = environment["HTTPS_PROXY"] ?? environment["https_proxy"]
            settings.warn = { Output.note("volt registry: warning: \($0)") }
            return settings
        }
    }

    func client(_ host: String) throws -> RegistryClient {
        let account = try configuration().account(for: host)
        return try RegistryClient(RegistryEndpoint(host: host, account: account, settings: try settings))
    }

    func open(_ target: Target, makes: Bool = false) throws -> any ContentPlace {
        switch target.place {
        case .layout(let directory):
            try LayoutPlace(Files.absolute(directory, from: Files.currentDirectory), makes: makes)
        case .repository(let host, let name): RepositoryPlace(try client(host), name)
        }
    }
}

/// `HOST/REPOSITORY[:TAG][@DIGEST]`, or `oci:DIRECTORY[:TAG][@DIGEST]`.
struct Target {
    enum Place {
        case layout(String)
        case repository(host: String, OCIRepositoryName)
    }
    let text: String
    let place: Place
    let tag: OCITagName?
    let digest: OCIDigest?

    /// For ArgumentParser, which shows what is wrong.
    @Sendable static func parse(_ argument: String) throws -> Target {
        do throws(VoltError) { return try Target(argument) } catch { throw ValidationError(error.message) }
    }

    init(_ argument: String) throws(VoltError) {
        text = argument
        guard argument.hasPrefix("oci:") else {
            let reference = try OCIReference(argument)
            place = .repository(host: reference.host, reference.repository)
            tag = reference.tag
            digest = reference.digest
            return
        }
        var rest = argument.dropFirst(4)
        if let at = rest.lastIndex(of: "@"), let named = OCIDigest(parsing: rest[rest.index(after: at)...]) {
            digest = named
            rest = rest[..<at]
        } else {
            digest = nil
        }
        if let colon = rest.lastIndex(of: ":"), !rest[colon...].contains("/") {
            tag = try OCITagName(rest[rest.index(after: colon)...])
            rest = rest[..<colon]
        } else {
            tag = nil
        }
        guard !rest.isEmpty else { throw VoltError(.usage, "'\(argument)' names no directory") }
        place = .layout(String(rest))
    }

    var isLayout: Bool { if case .layout = place { true } else { false } }

    /// What is asked for: the digest, else the tag, else `latest`, as everybody does.
    var reference: String { digest?.description ?? tag?.description ?? "latest" }

    /// The tag that is given to what is pushed.
    var newTag: OCITagName? { tag ?? (digest == nil ? try? OCITagName("latest") : nil) }
}

/// `os/architecture[/variant]`.
struct PlatformArgument: ExpressibleByArgument {
    let platform: OCIPlatform

    init?(argument: String) {
        guard let platform = try? OCIPlatform(argument) else { return nil }
        self.platform = platform
    }
}
