internal import ArgumentParser
internal import ContainerEngine
internal import VoltCLI
internal import VoltCore
internal import VoltSystem
internal import VoltWorkload

struct Ps: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "list the containers that run",
        discussion: """
              volt container ps
              volt container ps --all -o json
            """)

    @Flag(name: [.short, .long], help: "Those that do not run, too.")
    var all = false
    @OptionGroup var output: OutputOptions

    func run() throws {
        let context = try ToolContext(tool: VoltContainer.tool.name)
        let states = try ContainerHost.runtime(context).list().filter {
            all || $0.state == .running || $0.state == .restarting
        }
        try Output.render(states, as: output.format) {
            var table = Table(["NAME", "IMAGE", "STATE", "HEALTH", "SINCE", "RESTARTS", "PORTS"])
            for state in states {
                let since = state.state == .running ? state.startedAt : state.finishedAt
                var shown = state.state.rawValue
                if state.state == .exited, let code = state.exitCode {
                    shown += state.oomKilled == true ? " (\(code), out of memory)" : " (\(code))"
                }
                table.add([
                    state.spec.name.text, state.spec.image, shown, state.health.rawValue,
                    since.map { $0.relative(to: context.clock.now()) } ?? "-", "\(state.restarts)",
                    state.spec.ports.map { "\($0.address):\($0.hostPort)->\($0.containerPort)" }.joined(
                        separator: ", "),
                ])
            }
            return table
        }
    }
}
