internal import ArgumentParser
internal import RegistryEngine
internal import VoltCLI
internal import VoltCore
internal import VoltStore
internal import VoltSystem

struct GC: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "gc",
        abstract: "Remove what nobody can pull any more, while pushes go on.",
        discussion: """
            Blobs that no manifest names go when they are older than --grace, and their bytes when no other \
            repository has them. Tags and manifests only go when an option says so.

            Example:
              volt registry gc --keep-tags 10 --untagged 7d --dry-run
            """)

    @OptionGroup var store: StoreOptions
    @OptionGroup var retention: RetentionOptions
    @Flag(help: "Only say what would go.") var dryRun = false
    @OptionGroup(title: "S3") var bucket: BucketOptions
    @OptionGroup var output: OutputOptions

    func run() throws {
        let (storage, context) = try store.open(makes: bucket.s3 != nil)
        let (rules, now) = (try retention.rules(), context.clock.now())
        let result =
            try bucket.open(storage, context.environment)?.collect(rules, now: now, dryRun: dryRun)
            ?? storage.collect(rules, now: now, dryRun: dryRun)
        if output.format == .json { return try Output.put(Output.json(result)) }
        let word = dryRun ? "would remove" : "removed"
        for tag in result.tags { try Output.put("\(word) tag \(tag)") }
        for manifest in result.manifests { try Output.put("\(word) manifest \(manifest)") }
        try Output.put(
            "\(word) \(result.tags.count) tags, \(result.manifests.count) manifests, \(result.blobs) blobs of repositories, \(result.uploads) uploads; \(result.store.removed) blobs of the store, \(ByteSize(bytes: result.store.freed))"
        )
    }
}

/// What is kept, for `gc` and `serve`.
struct RetentionOptions: ParsableArguments {
    @Option(help: ArgumentHelp("Keep the newest tags of each repository.", valueName: "number")) var keepTags:
        Int?
    @Option(
        help: ArgumentHelp("Remove manifests without a tag that are so old, such as 7d.", valueName: "time"))
    var untagged: String?
    @Option(help: ArgumentHelp("Keep blobs that no manifest names for so long.", valueName: "time"))
    var grace = "1h"
    @Option(
        help: ArgumentHelp(
            "Remove what is kept of other registries when nobody asked for it for so long, such as 30d.",
            valueName: "time"))
    var upstreamKeep: String?
    @Option(
        help: ArgumentHelp(
            "What may be kept of other registries, such as 50G; what was not asked for the longest goes first.",
            valueName: "size"))
    var upstreamSize: String?
    @Option(help: ArgumentHelp("Give uploads up that brought nothing for so long.", valueName: "time"))
    var uploads = "1d"

    func validate() throws {
        if let keepTags, keepTags < 1 { throw ValidationError("--keep-tags is at least 1") }
    }

    func rules() throws -> RetentionRules {
        var rules = RetentionRules()
        rules.keepTags = keepTags
        rules.untagged = try untagged.map { (text) throws(VoltError) in try DurationText.parse(text) }
        rules.grace = try DurationText.parse(grace)
        rules.upstreamKeep = try upstreamKeep.map { (text) throws(VoltError) in try DurationText.parse(text) }
        rules.upstreamSize = try upstreamSize.map { (text) throws(VoltError) in try ByteSize(text).bytes }
        rules.uploads = try DurationText.parse(uploads)
        return rules
    }
}
