internal import ArgumentParser
internal import VoltCLI
internal import VoltCore
internal import VoltStore
internal import VoltSystem

struct MountTree: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "mount", abstract: "Mount a tree without copying it.",
        discussion: """
            The tree has to be bare ('add-tree --bare'). Its names are an EROFS image, its files those of the store, \
            put together by overlayfs: it takes as long whatever the size, and trees that share a file share its \
            pages in memory. It needs root and Linux 6.5. The tree is kept until 'umount'.

            Examples:
              volt cas mount images/site /mnt
              volt cas mount images/site /mnt --upper /srv/changes
            """)

    @Argument(help: "A tree: a digest, a tag, or TREE:PATH.") var tree: String
    @Argument(help: "An existing directory.") var directory: String
    @Option(
        help: ArgumentHelp(
            "Keep what is changed in this directory; without, nothing can be.", valueName: "directory"))
    var upper: String?
    @Flag(help: "With --upper: changes need not survive a power cut.") var volatile = false
    @OptionGroup var place: StoreOptions
    @OptionGroup var output: OutputOptions

    func validate() throws {
        if volatile, upper == nil { throw ValidationError("--volatile goes with --upper") }
    }

    func run() throws {
        let (store, context) = try place.open()
        var options = MountOptions()
        options.runtime = context.paths.runtime
        context.noteReadOnly(store)
        options.upper = upper
        options.isVolatile = volatile
        let result = try store.mount(try store.part(tree), at: directory, options: options)
        if result.hidden > 0 {
            Output.note(
                "\(context.displayName): note: \(result.hidden) character devices of number 0:0 cannot be seen: overlayfs takes them for removed names"
            )
        }
        if output.format == .json { try Output.put(Output.json(result)) }
    }
}

struct UnmountTree: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "umount", abstract: "Unmount trees, and let them go.",
        discussion: """
            Example:
              volt cas umount /mnt
            """)

    @Argument(help: "The directories.") var directories: [String]
    @OptionGroup var place: StoreOptions

    func run() throws {
        let (store, context) = try place.open()
        try context.each(directories) { directory in
            try store.unmount(directory)
            return directory
        }
    }
}
