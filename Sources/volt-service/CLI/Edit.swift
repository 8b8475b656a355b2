internal import ArgumentParser
internal import ServiceEngine
internal import VoltCLI
internal import VoltCore
internal import VoltSystem
internal import VoltSystemd

struct Edit: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "edit", abstract: "Change a service by a drop-in that systemd has accepted.",
        discussion: """
            The drop-in is the one of 'systemctl edit', override.conf. systemd reads a copy of the unit with \
            it first; what it does not accept is not put in place. With --restart, a service that does not come \
            up again is put back as it was. Without options the drop-in opens in an editor: VISUAL, EDITOR or vi.

            Examples:
              volt service edit gitops --port 9191 --restart
              volt service edit gitops --set MemoryMax=512M \\
                  --set Unit.Description='Deploys of this host'
              volt service edit gitops --from override.conf
              volt service edit gitops
            """)

    @Option(help: "The port of a tool's server.") var port: Int?
    @Option(
        help: ArgumentHelp(
            "A setting, as KEY=VALUE or SECTION.KEY=VALUE; once for each.", valueName: "setting"))
    var set: [String] = []
    @Option(help: ArgumentHelp("A setting to take out of the drop-in again.", valueName: "key"))
    var unset: [String] = []
    @Option(help: "A file with the whole drop-in; '-' is stdin. An empty one removes it.") var from: String?
    @Flag(help: "Restart the service when it runs.") var restart = false
    @Argument(help: "The name of a service.") var name: String
    @OptionGroup var output: OutputOptions

    func validate() throws {
        if let port, !(1...65535).contains(port) { throw ValidationError("'\(port)' is not a port") }
        if from != nil, port != nil || !set.isEmpty || !unset.isEmpty {
            throw ValidationError("--from is the whole drop-in, so it stands alone")
        }
    }

    func run() throws {
        let (host, context) = try VoltService.host()
        let overview = try VoltService.overview(host)
        let service = try host.find(name, in: overview)
        let edits = ServiceEdits(host: host, tools: overview.tools, scratch: context.paths.runtime)
        let outcome: UnitEditor.Outcome
        if let from {
            let path = from == "-" ? "/dev/stdin" : Files.absolute(from, from: Files.currentDirectory)
            let text = String(decoding: try Files.read(path, limit: 1 << 20), as: UTF8.self)
            outcome = try edits.replace(with: text, of: service, restart: restart)
        } else if port == nil, set.isEmpty, unset.isEmpty {
            outcome = try EditorSession(edits: edits, context: context).run(service, restart: restart)
        } else {
            outcome = try edits.change(
                .init(port: port, set: set, unset: unset), of: service, restart: restart)
        }
        if output.format == .json { try Output.put(Output.json(outcome)) } else { say(outcome) }
    }

    private func say(_ outcome: UnitEditor.Outcome) {
        guard !outcome.files.isEmpty else { return Output.note("nothing changed") }
        for file in outcome.files {
            Output.note(file.text.isEmpty ? "removed \(file.path)" : "wrote \(file.path)")
        }
        if outcome.restarted {
            Output.note("restarted \(name)")
        } else if outcome.needsRestart {
            Output.note("it takes effect after: volt service restart \(name)")
        }
    }
}

/// Lets the user write the drop-in.
struct EditorSession {
    let edits: ServiceEdits
    let context: ToolContext

    func run(_ service: Service, restart: Bool) throws -> UnitEditor.Outcome {
        guard Output.isTerminal(0), Output.isTerminal(1) else {
            throw VoltError(
                .usage, "an editor needs a terminal", hint: "use --set KEY=VALUE, --port or --from FILE")
        }
        let template = try edits.template(of: service)
        try Files.makeDirectory(context.paths.runtime)
        let file = "\(context.paths.runtime)/\(service.name).conf"
        try Files.replace(file, with: template.utf8, mode: 0o600)
        let wanted = context.environment["VISUAL"] ?? context.environment["EDITOR"] ?? "vi"
        // An editor may come with options; it is never given to a shell.
        let words = wanted.split(separator: " ").map(String.init)
        guard let name = words.first, let program = find(name) else {
            throw VoltError(.missing, "the editor '\(wanted)' is not installed", hint: "set EDITOR")
        }
        let code = try Processes.runForeground(
            program, Array(words.dropFirst()) + [file], environment: context.environment)
        guard code == 0 else {
            throw VoltError(.failed, "the editor ended with \(code)", hint: "nothing was changed")
        }
        let text = ServiceEdits.written(String(decoding: try Files.read(file, limit: 1 << 20), as: UTF8.self))
        do throws(VoltError) {
            let outcome = try edits.replace(with: text, of: service, restart: restart)
            try Files.remove(file)
            return outcome
        } catch {
            throw VoltError(
                error.code, error.message,
                hint: "what you wrote is in '\(file)': correct it and give it with --from")
        }
    }

    private func find(_ name: String) -> String? {
        if name.hasPrefix("/") { return Files.exists(name) ? name : nil }
        return (context.environment["PATH"] ?? "/usr/bin:/bin").split(separator: ":").map { "\($0)/\(name)" }
            .first { $0.hasPrefix("/") && Files.exists($0) }
    }
}
