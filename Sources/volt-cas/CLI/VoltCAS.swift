internal import ArgumentParser
internal import VoltCLI
internal import VoltCore
internal import VoltStore
internal import VoltSystem

/// `volt cas`.
@main struct VoltCAS: Tool {
    static let tool = ToolDescription(
        name: "cas", version: VoltVersion.text, summary: "keep content by its digest in Stellarium")
    static let configuration = CommandConfiguration(
        tool: tool,
        discussion: """
            A store keeps every content once, under the SHA-256 of its bytes, in compressed packs or as whole \
            files. What has a tag or a lease stays; 'gc' removes the rest.
            """,
        groupedSubcommands: [
            CommandGroup(name: "Blobs", subcommands: [Put.self, Get.self, Cat.self, Has.self, Rm.self]),
            CommandGroup(
                name: "Trees",
                subcommands: [
                    AddTree.self, Ls.self, CheckoutTree.self, MountTree.self, UnmountTree.self, Diff.self,
                ]),
            CommandGroup(
                name: "What is kept",
                subcommands: [SetTag.self, Untag.self, Tags.self, LeaseCommand.self, GC.self]),
            CommandGroup(
                name: "Other stores",
                subcommands: [Push.self, PullTags.self, Serve.self, Export.self, ImportLayout.self]),
            CommandGroup(
                name: "The store",
                subcommands: [Init.self, VerifyStore.self, Repair.self, Repack.self, Stats.self]),
        ])
    static func main() {
        // A tree has 2047 directories in each other, and one who walks it has them open.
        Processes.raiseOpenFiles()
        runTool()
    }
}

/// `--store`.
struct StoreOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "The directory of the store; without, the one of this host.", valueName: "directory"))
    var store: String?

    func path(_ context: ToolContext) -> String {
        store.map { Files.absolute($0, from: Files.currentDirectory) } ?? "\(context.paths.state)/store"
    }

    /// The store, which has to be there.
    func open() throws -> (store: ContentStore, context: ToolContext) {
        let context = try ToolContext(tool: VoltCAS.tool.name)
        return (try ContentStore.open(path(context)), context)
    }

    /// The store; the one of this host is made when it is not there, one that was named has to be there.
    func openForWriting() throws -> (store: ContentStore, context: ToolContext) {
        let context = try ToolContext(tool: VoltCAS.tool.name)
        let path = path(context)
        return (try store == nil ? ContentStore.create(path) : ContentStore.open(path), context)
    }
}
