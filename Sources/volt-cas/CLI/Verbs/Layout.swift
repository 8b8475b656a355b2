internal import ArgumentParser
internal import CasExchange
internal import VoltCLI
internal import VoltCore
internal import VoltStore
internal import VoltSystem

struct Export: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "export", abstract: "Write what tags name as an OCI image layout.",
        discussion: """
            A tree becomes an image of one layer, a blob an artifact, each under the name of its tag; skopeo, podman \
            and registries read it.

            Example:
              volt cas export images/site --to layout
              skopeo copy oci:layout:images/site docker://registry.example/team/site:1
            """)

    @Argument(help: "Tags.") var tags: [String]
    @Option(help: ArgumentHelp("The layout: a directory that is empty or not there.", valueName: "directory"))
    var to: String
    @OptionGroup var place: StoreOptions
    @OptionGroup var progress: ProgressOptions

    func run() throws {
        let (store, context) = try place.open()
        let line = progress.line("export")
        let directory = Files.absolute(to, from: Files.currentDirectory)
        let notes = try LayoutExport.run(store, tags, to: directory) { line.show($0) }
        line.end()
        for note in notes { Output.note("\(context.displayName): note: left out \(note)") }
        for name in tags {
            guard let tag = try store.tag(name), tag.kind == .tree,
                let names = try store.leftOut(of: tag.digest)
            else { continue }
            context.noteIncomplete(names)
        }
    }
}

struct ImportLayout: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "import", abstract: "Take an OCI image layout into the store.",
        discussion: """
            An image becomes the tree that its layers make, whatever they remove of each other; an artifact of one \
            blob becomes the blob. Everything is compared with its digest.

            Example:
              skopeo copy docker://debian:12 oci:layout:debian:12
              volt cas import layout --bare
            """)

    @Argument(help: "The layout.") var layout: String
    @Argument(help: "Names that it gives; without, all.") var names: [String] = []
    @Option(name: .customLong("as"), help: ArgumentHelp("Another name for the one tag.", valueName: "tag"))
    var asName: String?
    @Flag(help: "Keep files whole, ready to be mounted and linked.") var bare = false
    @OptionGroup var place: StoreOptions
    @OptionGroup var output: OutputOptions

    func run() throws {
        let (store, context) = try place.openForWriting()
        let outcome = try LayoutImport.run(
            store, Files.absolute(layout, from: Files.currentDirectory), names, as: asName,
            representation: bare ? .bare : .packed)
        for note in outcome.notes { Output.note("\(context.displayName): note: left out \(note)") }
        for tag in outcome.tags where tag.kind == .tree {
            if let names = try store.leftOut(of: tag.digest) { context.noteIncomplete(names) }
        }
        try Output.render(outcome.tags, as: output.format) {
            var table = Table(["TAG", "KIND", "DIGEST"])
            for tag in outcome.tags { table.add([tag.name, tag.kind.rawValue, "\(tag.digest)"]) }
            return table
        }
    }
}
