internal import ArgumentParser
public import ContainerEngine
public import VoltCLI
public import VoltCore
internal import VoltSystem
internal import VoltWorkload

struct Ps: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "ps", abstract: "list the containers that run",
        discussion: """
              volt container ps
              volt container ps --all -o json
            """)

    @Flag(name: [.short, .long], help: "Those that do not run, too.")
    var all = false
    @OptionGroup var list: ListOptions

    func run() throws {
        let context = try ToolContext(tool: VoltContainer.tool.name)
        let states = try ContainerHost.runtime(context).list().filter {
            all || $0.state == .running || $0.state == .restarting
        }
        try list.render(states, at: context.clock.now())
    }
}

extension ContainerState: ListDisplayable {
    /// The columns of `volt container ps`.
    public static var header: [String] { ["NAME", "IMAGE", "STATE", "HEALTH", "SINCE", "RESTARTS", "PORTS"] }

    /// Its row.
    public func rows(at now: Timestamp) -> [[String]] {
        let since = state == .running ? startedAt : finishedAt
        var shown = state.rawValue
        if state == .exited, let code = exitCode {
            shown += oomKilled == true ? " (\(code), out of memory)" : " (\(code))"
        }
        let ports = spec.ports.map { "\($0.address):\($0.hostPort)->\($0.containerPort)" }
        return [
            [
                spec.name.text, spec.image, shown, health.rawValue, since.map { $0.relative(to: now) } ?? "-",
                "\(restarts)", ports.joined(separator: ", "),
            ]
        ]
    }

    /// Its name.
    public var quietValue: String { spec.name.text }
}
