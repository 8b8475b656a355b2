import ArgumentParser
import GitopsEngine
import VoltCLI
import VoltCore

struct Window: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "window", abstract: "Show and change when a pipeline may deploy.",
        discussion: """
            Deny wins. Without an allow window every time is allowed that none denies. 'sync --force' goes \
            through.

            Example:
              volt gitops window add --name site 'deny 0 16 * * fri 64h Europe/Berlin'
            """,
        subcommands: [AddWindow.self, ListWindows.self, RemoveWindow.self])
}

struct AddWindow: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "add", abstract: "Add a deploy window.",
        discussion: """
            A window opens when the cron expression matches in the time zone (UTC unless given) and is open \
            for the duration.

            Example:
              volt gitops window add --name site 'allow 0 9 * * mon-fri 8h Europe/Berlin'
            """)

    @Option(help: "The name of the pipeline.") var name: String
    @Argument(help: "'allow|deny MINUTE HOUR DAY MONTH WEEKDAY DURATION [TIMEZONE]'.") var window: String

    func run() throws {
        let (gitops, _) = try VoltGitops.engine()
        let window = try DeployWindow(window)
        try gitops.addWindow(window, to: name)
        Output.note("added window '\(window.text)' to pipeline '\(name)'")
    }
}

struct ListWindows: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "list", abstract: "List the deploy windows of a pipeline.",
        discussion: """
            Example:
              volt gitops window list --name site
            """)

    @Option(help: "The name of the pipeline.") var name: String
    @OptionGroup var output: OutputOptions

    func run() throws {
        let (gitops, _) = try VoltGitops.engine()
        let windows = try gitops.windows(of: name)
        try Output.render(windows, as: output.format) {
            var table = Table(["NUMBER", "WINDOW", "NOW", "UNTIL (UTC)"])
            for window in windows {
                table.add([
                    "\(window.number)", window.window, window.effect.rawValue,
                    window.changesAt?.tableText ?? "-",
                ])
            }
            return table
        }
    }
}

struct RemoveWindow: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "remove", abstract: "Remove a deploy window.",
        discussion: """
            Example:
              volt gitops window remove --name site 1
            """)

    @Option(help: "The name of the pipeline.") var name: String
    @Argument(help: "The number that 'window list' shows.") var number: Int

    func run() throws {
        let (gitops, _) = try VoltGitops.engine()
        let window = try gitops.removeWindow(number, of: name)
        Output.note("removed window '\(window.text)' of pipeline '\(name)'")
    }
}
