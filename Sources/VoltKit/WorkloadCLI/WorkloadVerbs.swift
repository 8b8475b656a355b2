public import ArgumentParser
public import VoltCLI
public import VoltWorkload

/// A tool that applies a kind of workload. Its verbs are `ApplyCommand`, `StatusCommand`, `ListCommand` and
/// `RemoveCommand` of it.
///
/// ```swift
/// enum Echo: WorkloadVerbs {
///     static let tool = ToolDescription(name: "echo", version: "1.0", summary: "apply echoes", kinds: ["echo"])
///     static func workloads(_ context: ToolContext, _ options: NoApplyOptions?) throws -> Rollout<EchoRuntime> { … }
/// }
/// ```
public protocol WorkloadVerbs {
    /// The options of `apply` beyond those of the contract.
    associatedtype ApplyOptions: ParsableArguments = NoApplyOptions
    /// The workloads of the kind.
    associatedtype Workloads: WorkloadApplying

    /// The tool.
    static var tool: ToolDescription { get }
    /// The words for its instances: `container` and `containers`.
    static var instanceWords: (one: String, many: String) { get }
    /// The texts of the verbs' help below the first line.
    static var discussions: WorkloadDiscussions { get }
    /// The workloads of this host.
    ///
    /// - Parameter options: nil for all verbs but `apply`.
    static func workloads(_ context: ToolContext, _ options: ApplyOptions?) throws -> Workloads
}

extension WorkloadVerbs {
    /// Instances.
    public static var instanceWords: (one: String, many: String) { ("instance", "instances") }

    /// Examples alone.
    public static var discussions: WorkloadDiscussions {
        WorkloadDiscussions(
            apply: """
                Starts the new version beside the old one, waits until it is healthy and stops the old one. When \
                anything fails, the old one keeps running.

                  volt \(tool.name) apply --workload web --manifest ./volt-manifest.yaml \\
                      --source . --revision 1
                """,
            status: "  volt \(tool.name) status --workload web -o json",
            list: "  volt \(tool.name) list -o json",
            remove: "  volt \(tool.name) remove --workload web")
    }
}

extension WorkloadVerbs where Self: Tool {
    /// The configuration of a tool that has these verbs alone.
    public static var workloadConfiguration: CommandConfiguration {
        CommandConfiguration(
            tool: tool,
            subcommands: [
                ApplyCommand<Self>.self, StatusCommand<Self>.self, ListCommand<Self>.self,
                RemoveCommand<Self>.self,
            ])
    }
}

/// The texts of the verbs' help below the first line.
public struct WorkloadDiscussions: Sendable {
    /// Of `apply`.
    public var apply: String
    /// Of `status`.
    public var status: String
    /// Of `list`.
    public var list: String
    /// Of `remove`.
    public var remove: String

    /// - Parameters: see the properties.
    public init(apply: String, status: String, list: String, remove: String) {
        self.apply = apply
        self.status = status
        self.list = list
        self.remove = remove
    }
}

/// No options.
public struct NoApplyOptions: ParsableArguments {
    /// There are none.
    public init() {}
}
