internal import ArgumentParser
internal import ContainerEngine
internal import VoltCLI
internal import VoltCore

struct Push: ParsableCommand {
    enum Form: String, ExpressibleByArgument, CaseIterable {
        case gzip
        case zstd
        case none
    }

    static let configuration = CommandConfiguration(
        commandName: "push", abstract: "push an image to a registry",
        discussion: """
            An image that was pulled keeps its digest: its layers go as they came. Those that were made here are made into \
            the same bytes each time. What the registry has is not sent, and what another repository of it has is not \
            either. Logins are those of 'volt registry login', 'docker login' and 'podman login'.

              volt container push web registry.example/team/web:1.4
              volt container push registry.example/team/web:1.4
              volt container push --compression zstd web localhost:5000/web
            """)

    @OptionGroup var registry: RegistryArguments
    @Option(
        help: ArgumentHelp(
            "Make all layers anew, with gzip, zstd or none. Without it those that were pulled stay as they are, and the others get gzip.",
            valueName: "form"))
    var compression: Form?
    @OptionGroup var progress: ProgressOptions
    @OptionGroup var output: OutputOptions
    @Argument(help: "The image: a name, or a digest.") var image: String
    @Argument(help: "HOST/REPOSITORY:TAG; the name of the image when it is left out.") var destination:
        String?

    struct Row: Encodable {
        let image: Digest
        let reference: String
        let digest: Digest
        let unchanged: Bool
        let sentBlobs: Int
        let sentBytes: UInt64
        let keptBlobs: Int
        let notes: [String]
    }

    func run() throws {
        let context = try ToolContext(tool: VoltContainer.tool.name)
        let store = try ImageStore(paths: context.paths, clock: context.clock)
        let pusher = ImagePusher(store: store, environment: context.environment, options: registry.options)
        let form = compression.flatMap { ImagePusher.Compression(rawValue: $0.rawValue) }
        let line = progress.line("push")
        let outcome = try pusher.push(image, to: destination, compression: form) { done, total in
            line.show(done, of: total)
        }
        line.end()
        let row = Row(
            image: outcome.image.digest, reference: outcome.reference, digest: outcome.digest,
            unchanged: outcome.isUnchanged, sentBlobs: outcome.sent.blobs, sentBytes: outcome.sent.bytes,
            keptBlobs: outcome.kept, notes: outcome.notes)
        if output.format == .json { return try Output.put(Output.json(row)) }
        for note in outcome.notes { Output.note("note: \(note)") }
        if outcome.isUnchanged {
            Output.note("'\(outcome.reference)' is up to date")
        } else {
            Output.note(
                "sent \(outcome.sent.blobs) blobs, \(ByteSize(bytes: outcome.sent.bytes)), to '\(outcome.reference)'; \(outcome.kept) were there"
            )
        }
        try Output.put(outcome.digest)
    }
}
