internal import ArgumentParser
internal import ContainerEngine
internal import VoltCLI
internal import VoltCore
internal import VoltSystem

struct Pull: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "pull an image from a registry",
        discussion: """
            Layers that are in the store are not fetched again, and of an image that did not change nothing is. \
            Logins are those of 'volt registry login', 'docker login' and 'podman login'.

              volt container pull registry.example/team/web:1.4
              volt container pull debian:12
            """)

    @Flag(help: "Speak plain HTTP. For registries of this host it is found out.") var plainHttp = false
    @Option(help: ArgumentHelp("Trust the authorities of this PEM file.", valueName: "file")) var caFile:
        String?
    @Option(help: ArgumentHelp("Read logins from this file, not from Docker's.", valueName: "file"))
    var authFile: String?
    @Argument(help: "[HOST/]NAME[:TAG][@DIGEST].") var name: String
    @OptionGroup var trust: TrustOptions
    @OptionGroup var output: OutputOptions

    struct Row: Encodable {
        let names: [String]
        let digest: Digest
        let manifest: String
        let unchanged: Bool
        let fetchedLayers: Int
        let fetchedBytes: UInt64
        let signedBy: [Digest]
        let notes: [String]
    }

    func run() throws {
        let context = try ToolContext(tool: VoltContainer.tool.name)
        var options = ImagePuller.Options()
        options.isPlain = plainHttp
        options.caFile = caFile.map { Files.absolute($0, from: Files.currentDirectory) }
        options.authFile = authFile.map { Files.absolute($0, from: Files.currentDirectory) }
        let store = try ImageStore(paths: context.paths, clock: context.clock)
        let puller = ImagePuller(
            store: store, environment: context.environment, options: options, trust: trust.trust(context))
        let outcome = try puller.pull(name)
        let row = Row(
            names: outcome.image.names, digest: outcome.image.digest, manifest: outcome.manifest,
            unchanged: outcome.isUnchanged, fetchedLayers: outcome.fetched.layers,
            fetchedBytes: outcome.fetched.bytes, signedBy: outcome.signedBy,
            notes: outcome.notes)
        if output.format == .json { return print(try Output.json(row)) }
        for note in outcome.notes { Output.note("note: \(note)") }
        if outcome.isUnchanged {
            Output.note("'\(name)' is up to date")
        } else {
            Output.note(
                "fetched \(outcome.fetched.layers) layers, \(ByteSize(bytes: outcome.fetched.bytes)); the others were there"
            )
        }
        print(outcome.image.digest)
    }
}
