import ArgumentParser
import GitopsEngine
import VoltCLI
import VoltCore

struct Control: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "control",
        abstract: "Show or change what decides when a pipeline deploys, and what it does on its own.",
        discussion: """
            What is not given stays as it is; without any option the settings are shown. Deploy windows have a \
            command of their own, 'volt gitops window'.

            Example:
              volt gitops control --name site --drift repair --require-approval
            """)

    @Option(help: "The name of the pipeline.") var name: String
    @Flag(inversion: .prefixedNo, help: "Let each commit wait for 'volt gitops approve'.")
    var requireApproval: Bool?
    @Option(
        help: "A pipeline that has to be deployed and healthy first; may be repeated, replaces those before.")
    var after: [String] = []
    @Flag(help: "Wait for no other pipeline.") var noAfter = false
    @Option(help: "How long to wait for the pipelines that come first.") var afterTimeout: String?
    @Option(help: "What to do when the workload is no longer what was deployed: repair, report or off.")
    var drift: String?
    @Option(help: "How often to look at the workload.") var driftInterval: String?
    @Flag(inversion: .prefixedNo, help: "Remove the workload when a commit has no manifest any more.")
    var prune: Bool?
    @Flag(
        inversion: .prefixedNo,
        help: "Prune even for a commit without any file, or without the directory of --path.") var allowEmpty:
        Bool?
    @OptionGroup var output: OutputOptions

    func validate() throws {
        guard !noAfter || after.isEmpty else {
            throw ValidationError("--after and --no-after exclude each other")
        }
    }

    func run() throws {
        let (gitops, _) = try VoltGitops.engine()
        let names = try after.map { try Name($0, of: "pipeline") }
        let afterSeconds = try afterTimeout.map { try DurationText.parse($0).milliseconds / 1000 }
        let driftSeconds = try driftInterval.map { try DurationText.parse($0).milliseconds / 1000 }
        let mode = try drift.map { try ControlArguments.driftMode($0) }
        let control = try gitops.control(name) { control in
            if let requireApproval { control.requiresApproval = requireApproval ? true : nil }
            if noAfter { (control.after, control.afterTimeout) = (nil, nil) }
            if !names.isEmpty { control.after = names }
            if let afterSeconds { control.afterTimeout = afterSeconds }
            if let mode { control.drift = mode }
            if let driftSeconds { control.driftInterval = driftSeconds }
            if let prune { control.prunes = prune ? true : nil }
            if let allowEmpty { control.allowsEmpty = allowEmpty ? true : nil }
        }
        try Output.render(control, as: output.format) {
            var table = Table(["SETTING", "VALUE"])
            table.add(["windows", "\(control.windows?.count ?? 0)"])
            table.add(["approval", control.requiresApproval == true ? "required" : "not required"])
            table.add(["after", control.after?.map(\.text).joined(separator: ", ") ?? "-"])
            table.add([
                "after timeout", seconds(control.afterTimeout ?? ControlOptions.usualAfterTimeout),
            ])
            table.add(["drift", (control.drift ?? .off).rawValue])
            table.add([
                "drift interval", seconds(control.driftInterval ?? ControlOptions.usualDriftInterval),
            ])
            table.add(["prune", control.prunes == true ? "yes" : "no"])
            table.add(["allow empty", control.allowsEmpty == true ? "yes" : "no"])
            return table
        }
    }

    private func seconds(_ count: Int64) -> String { DurationText.format(.seconds(count)) }
}
