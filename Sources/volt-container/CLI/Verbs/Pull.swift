internal import ArgumentParser
internal import ContainerEngine
internal import VoltCLI
internal import VoltCore

struct Pull: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "pull", abstract: "pull an image from a registry",
        discussion: """
            Layers that are in the store are not fetched again, and of an image that did not change nothing is. \
            Logins are those of 'volt registry login', 'docker login' and 'podman login'. It prints the digest of the \
            manifest, as the registry has it, by which the image can be run. Signatures are looked at and not kept: \
            'volt registry copy --referrers' takes them along.

              volt container pull registry.example/team/web:1.4
              volt container pull debian:12
            """)

    @OptionGroup var registry: RegistryArguments
    @OptionGroup var progress: ProgressOptions
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
        let store = try ImageStore(paths: context.paths, clock: context.clock)
        let puller = ImagePuller(
            store: store, environment: context.environment, options: registry.options,
            trust: trust.trust(context))
        let line = progress.line("pull")
        let outcome = try puller.pull(name) { done, total in line.show(done, of: total) }
        line.end()
        let row = Row(
            names: outcome.image.names, digest: outcome.image.digest, manifest: outcome.manifest,
            unchanged: outcome.isUnchanged, fetchedLayers: outcome.fetched.layers,
            fetchedBytes: outcome.fetched.bytes, signedBy: outcome.signedBy,
            notes: outcome.notes)
        if output.format == .json { return try Output.put(Output.json(row)) }
        for note in outcome.notes { Output.note("note: \(note)") }
        if outcome.isUnchanged {
            Output.note("'\(name)' is up to date")
        } else {
            Output.note(
                "fetched \(outcome.fetched.layers) layers, \(ByteSize(bytes: outcome.fetched.bytes)); the others were there"
            )
        }
        try Output.put(outcome.manifest)
    }
}
