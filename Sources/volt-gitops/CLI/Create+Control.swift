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
    @Option(help: "How long to wait for the pipelines that come first.") var afterTimeout = "1h"

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
            control.afterTimeout = try DurationText.parse(afterTimeout).milliseconds / 1000
        }
        if control != ControlOptions() { pipeline.control = control }
    }
}
