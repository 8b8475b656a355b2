import ArgumentParser
public import GitopsEngine
public import VoltCLI
public import VoltCore
import VoltSystem

struct List: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "list", abstract: "List the pipelines.",
        discussion: """
            Examples:
              volt gitops list --quiet
              volt gitops list -o json
            """)

    @OptionGroup var list: ListOptions

    func run() throws {
        let (gitops, context) = try VoltGitops.engine()
        try list.render(try gitops.journal().pipelines(), at: context.clock.now())
    }
}

extension Pipeline: ListDisplayable {
    /// The columns of `volt gitops list`.
    public static var header: [String] { ["NAME", "REPO", "BRANCH", "PROVIDER", "WORKLOAD", "POLL"] }

    /// Its row.
    public func rows(at now: Timestamp) -> [[String]] {
        [[name.text, repo, branch, provider.rawValue, workload.text, "\(pollInterval)s"]]
    }

    /// Its name.
    public var quietValue: String { name.text }
}
