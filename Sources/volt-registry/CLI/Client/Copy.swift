internal import ArgumentParser
internal import VoltCLI
internal import VoltCore
internal import VoltOCI
internal import VoltRegistry
internal import VoltSystem

struct CopyImage: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "copy",
        abstract: "Copy an image or artifact between registries and OCI image layouts.",
        discussion: """
            Everything is copied byte by byte, all platforms of an index unless --platform says one. What the \
            destination has is not moved again.

            Examples:
              volt registry copy docker.io/library/debian:12 localhost:5000/debian:12
              volt registry copy --referrers registry.example/team/web:1.4 oci:backup:1.4
            """,
        aliases: ["cp"])

    @OptionGroup var client: ClientOptions
    @OptionGroup var output: OutputOptions
    @Option(
        help: ArgumentHelp("Only the image for this platform, such as linux/arm64.", valueName: "platform"))
    var platform: PlatformArgument?
    @Flag(name: .shortAndLong, help: "Also what is about it, such as signatures.") var referrers = false
    @Option(help: "Blobs that are moved at a time.") var parallel = 4
    @OptionGroup var progress: ProgressOptions
    @Argument(
        help: "HOST/REPOSITORY:TAG, with @DIGEST if wanted, or oci:DIRECTORY:TAG.", transform: Target.parse)
    var source: Target
    @Argument(help: "The same; without a tag it gets that of the source.", transform: Target.parse)
    var destination: Target

    func validate() throws {
        guard (1...32).contains(parallel) else { throw ValidationError("--parallel is from 1 to 32") }
        if let digest = destination.digest {
            throw ValidationError("'@\(digest)' is no destination: what is copied has its own")
        }
    }

    func run() throws {
        var options = ContentCopy.Options()
        options.platform = platform?.platform
        options.referrers = referrers
        options.parallel = parallel
        let result = try transfer(
            source.reference, from: try client.open(source), to: try client.open(destination, makes: true),
            tag: destination.tag ?? (source.digest == nil ? source.newTag : nil), options, progress)
        if output.format == .json { return try Output.put(Output.json(result)) }
        try Output.put(result.digest)
    }
}

/// Copies, and says how far it is.
func transfer(
    _ reference: String, from source: any ContentPlace, to destination: any ContentPlace, tag: OCITagName?,
    _ options: ContentCopy.Options, _ progress: ProgressOptions
) throws -> ContentCopy.Result {
    let environment = try ToolContext(tool: RegistryTool.tool.name).environment
    var options = options
    if let directory = environment["TMPDIR"], directory.hasPrefix("/") { options.temporary = directory }
    let line = progress.line("copy")
    defer { line.end() }
    let copy = ContentCopy(options) { done, total in line.show(done, of: total) }
    return try copy.run(reference, from: source, to: destination, tag: tag)
}

struct Backup: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "backup",
        abstract: "Copy a repository with all tags and what is about them to an OCI image layout.",
        discussion: """
            A second backup to the same layout moves what is new.

            Example:
              volt registry backup registry.example/team/web oci:web-backup
            """)

    @OptionGroup var client: ClientOptions
    @OptionGroup var progress: ProgressOptions
    @Argument(help: "HOST/REPOSITORY.", transform: Target.parse) var source: Target
    @Argument(help: "oci:DIRECTORY.", transform: Target.parse) var destination: Target

    func validate() throws {
        guard !source.isLayout, destination.isLayout else {
            throw ValidationError("a repository is backed up to a layout, which is written oci:DIRECTORY")
        }
    }

    func run() throws { try copyAll(client, source, destination, progress) }
}

struct Restore: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "restore", abstract: "Copy all that an OCI image layout has to a repository.",
        discussion: """
            Example:
              volt registry restore oci:web-backup localhost:5000/team/web
            """)

    @OptionGroup var client: ClientOptions
    @OptionGroup var progress: ProgressOptions
    @Argument(help: "oci:DIRECTORY.", transform: Target.parse) var source: Target
    @Argument(help: "HOST/REPOSITORY.", transform: Target.parse) var destination: Target

    func validate() throws {
        guard source.isLayout, !destination.isLayout else {
            throw ValidationError("a layout, which is written oci:DIRECTORY, is restored to a repository")
        }
    }

    func run() throws { try copyAll(client, source, destination, progress) }
}

/// Every tag, with what is about it.
private func copyAll(
    _ client: ClientOptions, _ source: Target, _ destination: Target, _ progress: ProgressOptions
) throws {
    guard source.tag == nil, source.digest == nil, destination.tag == nil, destination.digest == nil else {
        throw ValidationError("all tags are copied: name no tag")
    }
    let from = try client.open(source)
    // Before anything is made of it: it may not be there.
    let tags = try from.tags().filter { OCITagName(parsing: $0) != nil }
    let names = tags.filter { OCICompanionTag($0) == nil }
    let to = try client.open(destination, makes: true)
    var options = ContentCopy.Options()
    options.referrers = true
    options.tags = Set(tags)
    // What belongs to an image comes along with it, and what belongs to none that has a name comes at the end.
    var taken: Set<String> = []
    try ToolContext(tool: RegistryTool.tool.name).each(names + tags.filter { OCICompanionTag($0) != nil }) {
        text in
        if taken.contains(text) { return text }
        let result = try transfer(text, from: from, to: to, tag: try OCITagName(text), options, progress)
        taken.formUnion(result.companionTags)
        return text
    }
}
