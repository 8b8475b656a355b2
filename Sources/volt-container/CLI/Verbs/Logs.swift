internal import ArgumentParser
internal import ContainerEngine
internal import VoltCLI
internal import VoltCore
internal import VoltSupervise
internal import VoltSystem

struct Logs: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "logs", abstract: "show what a container printed",
        discussion: """
            The newest 8 to 16 MB are kept. Lines are printed byte by byte as the container has printed them.

              volt container logs --tail 50 web
              volt container logs --since 10m web
              volt container logs -f web
            """)

    @Flag(name: [.short, .long], help: "Go on until the container has ended.")
    var follow = false
    @Option(help: "Only the last lines.")
    var tail: Int?
    @Option(
        help: ArgumentHelp(
            "Only what was printed since: a time ago such as 10m, or a moment such as 2025-07-14T15:30:00Z.",
            valueName: "time"))
    var since: String?
    @Argument(help: "The name of the container, or of a workload.")
    var name: String

    func validate() throws {
        if let tail, tail < 0 { throw ValidationError("--tail is at least 0") }
    }

    func run() throws {
        let context = try ToolContext(tool: VoltContainer.tool.name)
        let runtime = try ContainerHost.runtime(context)
        let container = try ContainerHost.container(name, in: runtime)
        _ = try runtime.state(container)
        let from = try since.map { try Self.moment($0, now: context.clock.now()) }
        var log = try runtime.log(container)
        var last: [LogLine] = []
        while let lines = try log.next() {
            LogFollower.noteLoss(&log, container)
            for line in lines where from.map({ line.at >= $0 }) ?? true {
                if tail == nil { try LogFollower.show(line) } else { last.append(line) }
            }
            if let tail, last.count / 2 > tail { last.removeFirst(last.count - tail) }
        }
        for line in last.suffix(tail ?? 0) { try LogFollower.show(line) }
        if follow {
            try LogFollower(runtime: runtime, name: container, isForeground: false).follow(log)
        }
    }

    private static func moment(_ text: String, now: Timestamp) throws(VoltError) -> Timestamp {
        if let moment = Timestamp(rfc3339: text) { return moment }
        guard let ago = try? DurationText.parse(text) else {
            throw VoltError(
                .usage, "'\(text)' is no time", hint: "write a time ago, such as 10m, or a moment in RFC 3339"
            )
        }
        return Timestamp(milliseconds: now.milliseconds - ago.milliseconds)
    }
}
