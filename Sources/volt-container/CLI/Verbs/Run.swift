internal import ArgumentParser
internal import ContainerEngine
internal import Glibc
internal import VoltCLI
internal import VoltCore
internal import VoltWorkload

struct Run: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "run", abstract: "run a command in a new container",
        discussion: """
            Ends with the exit code of the command; 125 when the container could not be started, 126 when the \
            command cannot be run, 127 when it is not there, 128 and the number of the signal that ended it.

              volt container run --rm busybox uname -a
              volt container run --rm -it busybox sh
              volt container run -d --name web -p 8080:80 -v ./www:/www:ro \\
                  busybox httpd -f -h /www
            """)

    @Flag(name: [.short, .long], help: "Run in the background and print the name.")
    var detach = false
    @Flag(name: .customLong("rm"), help: "Remove the container when the command has ended.")
    var remove = false
    @Flag(name: [.short, .long], help: "Hand standard input on; without it the command reads nothing.")
    var interactive = false
    @Flag(
        name: [.short, .long], help: "Taken beside -i: a terminal is handed on as one, with it and without.")
    var tty = false
    @OptionGroup var options: ContainerOptions

    func validate() throws {
        if tty, !interactive { throw ValidationError("--tty has nothing to hand on: add --interactive") }
    }

    func run() throws {
        do { try runContainer() } catch let error as VoltError {
            // Whatever the reason, the command has not run: callers tell that from its own exit codes by 125.
            let isOwn = [ExitCode.usage, .cannotRun, .commandNotFound].contains(error.code)
            throw VoltError(isOwn ? error.code : .runtimeFailed, error.message, hint: error.hint)
        }
    }

    private func runContainer() throws {
        let context = try ToolContext(tool: VoltContainer.tool.name)
        var spec = try options.spec(context)
        // Attached, this process reads the exit code before it removes the container.
        let isAttached = !detach && (!spec.ports.isEmpty || spec.restart != .no)
        spec.removeWhenDone = remove && !isAttached
        guard !interactive || (!detach && !isAttached) else {
            throw VoltError(
                .usage,
                "standard input cannot be handed on to a container in the background, with ports or with --restart",
                hint: "use 'volt container exec -i'")
        }
        let runtime = try ContainerHost.runtime(context)
        if !detach, !isAttached { try runtime.becomeForeground(spec, stdin: interactive) }
        try runtime.create(spec)
        do { try runtime.start(spec.name) } catch {
            // Nobody has seen its name yet.
            if remove || options.name == nil { try? runtime.remove(spec.name, force: true) }
            throw error
        }
        guard !detach else {
            // It runs: the end of this program says what could not be printed.
            try? Output.line(spec.name.text)
            return
        }
        try LogFollower(runtime: runtime, name: spec.name, isForeground: true).follow(
            try runtime.log(spec.name))
        let code = try runtime.state(spec.name).exitCode ?? 0
        if remove { try runtime.remove(spec.name, force: true) }
        throw ExitStatus(code)
    }
}
