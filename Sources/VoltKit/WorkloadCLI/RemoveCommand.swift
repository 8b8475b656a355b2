public import ArgumentParser
internal import VoltCLI
internal import VoltCore
internal import VoltWorkload

/// `volt-<kind> remove`.
public struct RemoveCommand<Verbs: WorkloadVerbs>: AsyncParsableCommand {
    /// For ArgumentParser.
    public static var configuration: CommandConfiguration {
        CommandConfiguration(
            commandName: "remove",
            abstract: "stop a workload and remove its \(Verbs.instanceWords.many)",
            discussion: Verbs.discussions.remove)
    }

    @Option(help: "The name of the workload.")
    var workload: String
    @Flag(help: "Remove the workload's volumes and what is in them, too.")
    var volumes = false
    @OptionGroup var output: OutputOptions

    /// For ArgumentParser.
    public init() {}

    /// Removes the workload and prints what went.
    public func run() async throws {
        let context = try ToolContext(tool: Verbs.tool.name)
        let name = try Name(workload, of: "workload")
        let removed = try await Verbs.workloads(context, nil).remove(
            name, withVolumes: volumes, timeout: .seconds(60))
        let row = RemovedWorkload(workload: name, removed: removed, word: Verbs.instanceWords.many)
        try Output.render(row, as: output.format) {
            var table = Table(["REMOVED", "NAME"])
            for instance in removed.instances { table.add([Verbs.instanceWords.one, instance]) }
            for volume in removed.volumes { table.add(["volume", volume]) }
            return table
        }
    }
}

/// A removed workload; the kind has its own word for its instances.
private struct RemovedWorkload: Encodable {
    let workload: Name
    let removed: WorkloadRemoval
    let word: String

    struct Key: CodingKey {
        let stringValue: String
        var intValue: Int? { nil }
        init(_ text: String) { stringValue = text }
        init?(stringValue: String) { self.stringValue = stringValue }
        init?(intValue: Int) { nil }
    }

    func encode(to encoder: any Encoder) throws {
        var values = encoder.container(keyedBy: Key.self)
        try values.encode(workload, forKey: Key("workload"))
        try values.encode(removed.instances, forKey: Key(word))
        try values.encode(removed.volumes, forKey: Key("volumes"))
    }
}
