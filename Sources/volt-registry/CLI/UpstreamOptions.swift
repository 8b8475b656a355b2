internal import ArgumentParser
internal import RegistryEngine
internal import VoltCLI
internal import VoltCore
internal import VoltRegistry
internal import VoltSystem

/// Other registries, whose repositories are kept here as they are asked for.
struct UpstreamOptions: ParsableArguments {
    @Option(
        name: .customLong("upstream"),
        help: ArgumentHelp(
            "Keep repositories of another registry as they are asked for, such as hub=docker.io; can be repeated.",
            valueName: "[prefix=]host[/path]"))
    var upstreams: [String] = []
    @Option(help: ArgumentHelp("Look for a tag there again after this time.", valueName: "time"))
    var upstreamFresh = "60s"
    @Option(help: ArgumentHelp("The logins for them; without, those of Docker.", valueName: "file"))
    var upstreamAuthFile: String?
    @Option(help: ArgumentHelp("Trust the authorities of this PEM file.", valueName: "file"))
    var upstreamCaFile: String?
    @Flag(help: "Speak plain HTTP with them. For registries of this host it is found out.")
    var upstreamPlainHttp = false

    func apply(to settings: inout RegistrySettings, _ environment: [String: String]) throws {
        if upstreams.isEmpty { return }
        let here = Files.currentDirectory
        let configuration = try DockerConfiguration(
            environment: environment, file: upstreamAuthFile.map { Files.absolute($0, from: here) })
        var reach = RegistryEndpoint.Settings()
        reach.isPlain = upstreamPlainHttp
        reach.caFile = upstreamCaFile.map { Files.absolute($0, from: here) }
        reach.proxy = environment["HTTPS_PROXY"] ?? environment["https_proxy"]
        // Clients wait, and ask again themselves.
        reach.retries = 1
        var prefixes: Set<String> = []
        for text in upstreams {
            let rule = try UpstreamRule(text)
            guard prefixes.insert(rule.prefix).inserted else {
                throw ValidationError(
                    "two upstreams have repositories with names that begin with '\(rule.prefix)'")
            }
            let account = try configuration.account(for: rule.host)
            settings.upstreams.append(
                Upstream(rule, RegistryEndpoint(host: rule.host, account: account, settings: reach)))
        }
        settings.upstreamFresh = try DurationText.parse(upstreamFresh)
    }
}
