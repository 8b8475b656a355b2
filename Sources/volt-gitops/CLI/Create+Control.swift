import ArgumentParser
import GitopsEngine
import VoltCLI
import VoltCore

/// The options of `create` that decide when a pipeline deploys.
struct ControlArguments: ParsableArguments {
    @Option(
        name: .customLong("window"),
        help: "When it may deploy: 'allow|deny CRON DURATION [TIMEZONE]'; may be repeated.")
    var windows: [String] = []
    @Flag(help: "Let each commit wait for 'volt gitops approve'.") var requireApproval = false
    @Option(help: "A pipeline that has to be deployed and healthy first; may be repeated.")
    var after: [String] = []
    @Option(help: "How long to wait for the pipelines that come first. Default: 1h.") var afterTimeout:
        String?
    @Option(help: "What to do when the workload is no longer what was deployed: repair, report or off.")
    var drift = ControlOptions.usualDrift.rawValue
    @Option(help: "How often to look at the workload.") var driftInterval = "1m"
    @Flag(help: "Remove the workload when a commit has no manifest any more.") var prune = false
    @Flag(help: "Prune even for a commit without any file, or without the directory of --path.")
    var allowEmpty = false

    func fill(_ pipeline: inout Pipeline) throws(VoltError) {
        var control = ControlOptions()
        if !windows.isEmpty {
            var list: [DeployWindow] = []
            for window in windows { list.append(try DeployWindow(window)) }
            control.windows = list
        }
        if requireApproval { control.requiresApproval = true }
        if !after.isEmpty {
            var list: [Name] = []
            for name in after { list.append(try Name(name, of: "pipeline")) }
            control.after = list
            control.afterTimeout = try DurationText.parse(afterTimeout ?? "1h").milliseconds / 1000
        } else if afterTimeout != nil {
            throw VoltError(
                .usage, "'--after-timeout' has no pipeline to wait for", hint: "add --after PIPELINE")
        }
        control.drift = try Self.driftMode(drift)
        control.driftInterval = try DurationText.parse(driftInterval).milliseconds / 1000
        if prune { control.prunes = true }
        if allowEmpty { control.allowsEmpty = true }
        pipeline.control = control
    }

    static func driftMode(_ text: String) throws(VoltError) -> DriftMode {
        guard let mode = DriftMode(rawValue: text) else {
            throw VoltError(
                .usage, "'\(text)' is nothing to do about drift", hint: "use repair, report or off")
        }
        return mode
    }
}
