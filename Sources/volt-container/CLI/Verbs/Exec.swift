internal import ArgumentParser
internal import ContainerEngine
internal import VoltCLI
internal import VoltCore

struct Exec: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "exec", abstract: "run a command in a container that runs",
        discussion: """
            The command has what the payload has: its namespaces, limits, capabilities and filter. Ends with \
            the exit code of the command.

              volt container exec web ps
              volt container exec -it web sh
              volt container exec -u 0 -e DEBUG=1 web sh -c 'id; env'
            """)

    @Flag(name: .shortAndLong, help: "Hand standard input on.")
    var interactive = false
    @Flag(name: .shortAndLong, help: "Give the command a terminal when standard input is one.")
    var tty = false
    @Option(name: [.short, .long], help: ArgumentHelp("A variable, as NAME=VALUE.", valueName: "variable"))
    var env: [String] = []
    @Option(name: [.customShort("u"), .long], help: "Another user than the payload's.")
    var user: String?
    @Option(name: [.customShort("w"), .long], help: "Another working directory than the payload's.")
    var workdir: String?
    @Argument(help: "The name of the container, or of a workload.")
    var name: String
    @Argument(parsing: .captureForPassthrough, help: "The command.")
    var command: [String]

    func run() throws {
        let context = try ToolContext(tool: VoltContainer.tool.name)
        var variables: [String: String] = [:]
        for variable in env {
            let parts = variable.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            guard parts.count == 2, !parts[0].isEmpty else {
                throw VoltError(.usage, "'\(variable)' is not a variable", hint: "write NAME=VALUE")
            }
            variables[String(parts[0])] = String(parts[1])
        }
        let words = command.first == "--" ? Array(command.dropFirst()) : command
        let runtime = try ContainerHost.runtime(context)
        try runtime.becomeCommand(
            try ContainerHost.container(name, in: runtime), command: words, environment: variables,
            user: try user.map(ContainerOptions.user),
            directory: workdir, stdin: interactive, terminal: tty && Output.isTerminal(0))
    }
}
