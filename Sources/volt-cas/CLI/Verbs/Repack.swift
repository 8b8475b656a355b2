internal import ArgumentParser
internal import VoltCLI
internal import VoltCore
internal import VoltStore
internal import VoltSystem

struct Rm: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "rm", abstract: "Remove blobs at once that nothing needs.",
        discussion: """
            What a tag or a lease needs stays, and is an error. To let something go that has a name, take the \
            name away with 'untag' and run 'gc'.

            Example:
              volt cas rm \\
                  sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08
            """)

    @Argument(help: "Digests.") var digests: [String]
    @OptionGroup var place: StoreOptions
    @OptionGroup var output: OutputOptions

    func run() throws {
        let (store, _) = try place.open()
        let wanted = try digests.map { text in
            guard let digest = try? Digest(text) else {
                throw VoltError(
                    .usage, "'\(text)' is not a sha256 digest",
                    hint: "to let go what has a name, use 'volt cas untag' and then 'volt cas gc'")
            }
            return digest
        }
        let result = try store.remove(wanted)
        if output.format == .json { return try Output.put(Output.json(result)) }
        try Output.put("removed \(result.removed) blobs, \(ByteSize(bytes: result.freed))")
    }
}

struct Repack: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "repack", abstract: "Put small packs together, or make trees ready to be mounted.",
        discussion: """
            Every ingest leaves a pack at least; many small ones make a store slow to open. With --bare the files \
            of trees that are packed, such as after a pull, become whole files.

            Examples:
              volt cas repack
              volt cas repack --bare images/debian:12
            """)

    @Option(help: ArgumentHelp("A tree whose files are to be whole.", valueName: "tree")) var bare: [String] =
        []
    @OptionGroup var place: StoreOptions
    @OptionGroup var progress: ProgressOptions
    @OptionGroup var output: OutputOptions

    struct Row: Encodable {
        var packs = 0
        var files = 0
    }

    func run() throws {
        let (store, _) = try place.open()
        var row = Row()
        let line = progress.line("repack")
        if bare.isEmpty { row.packs = try store.mergePacks().rewritten }
        for tree in bare { row.files += try store.makeBare(try store.tree(tree)) { line.show($0) } }
        line.end()
        if output.format == .json { return try Output.put(Output.json(row)) }
        try Output.put(bare.isEmpty ? "\(row.packs) packs put together" : "\(row.files) files made whole")
    }
}
