public import ArgumentParser
internal import VoltCLI
internal import VoltCore
internal import VoltSystem
internal import VoltWorkload

/// `volt-<kind> status`.
public struct StatusCommand<Verbs: WorkloadVerbs>: AsyncParsableCommand {
    /// For ArgumentParser.
    public static var configuration: CommandConfiguration {
        CommandConfiguration(
            commandName: "status", abstract: "show what a workload is now",
            discussion: Verbs.discussions.status)
    }

    @Option(help: "The name of the workload.")
    var workload: String
    @OptionGroup var output: OutputOptions

    /// For ArgumentParser.
    public init() {}

    /// Prints the status.
    public func run() async throws {
        let context = try ToolContext(tool: Verbs.tool.name)
        let name = try Name(workload, of: "workload")
        let status = try await Verbs.workloads(context, nil).status(of: name)
        try Output.render(status, as: output.format) { WorkloadTable.of([status], context) }
    }
}

/// `volt-<kind> list`.
public struct ListCommand<Verbs: WorkloadVerbs>: AsyncParsableCommand {
    /// For ArgumentParser.
    public static var configuration: CommandConfiguration {
        CommandConfiguration(
            commandName: "list", abstract: "list the workloads", discussion: Verbs.discussions.list)
    }

    @OptionGroup var output: OutputOptions

    /// For ArgumentParser.
    public init() {}

    /// Prints the status of every workload.
    public func run() async throws {
        let context = try ToolContext(tool: Verbs.tool.name)
        let all = try await Verbs.workloads(context, nil).list()
        try Output.render(all, as: output.format) { WorkloadTable.of(all, context) }
    }
}

/// Workloads for people.
enum WorkloadTable {
    static func of(_ all: [WorkloadStatus], _ context: ToolContext) -> Table {
        var table = Table(["WORKLOAD", "STATE", "HEALTH", "DESIRED", "ACTUAL", "SINCE", "RESTARTS"])
        for status in all {
            table.add([
                status.workload, status.state.rawValue, status.health.rawValue, short(status.desiredRevision),
                short(status.actualRevision), status.since?.relative(to: context.clock.now()) ?? "-",
                "\(status.restarts)",
            ])
        }
        return table
    }

    private static func short(_ revision: String?) -> String { revision.map { String($0.prefix(12)) } ?? "-" }
}
