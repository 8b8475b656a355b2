internal import VoltCore
internal import VoltPlugin

/// `volt help`: the list of commands, one command's help, and everything there is.
enum HelpCommand {
    static let builtIn = BuiltIn(
        name: "help", summary: "show the commands, or the help of one", usage: "volt help [-a | COMMAND...]",
        help: """
            Without a command: the commands of Volt and whether they are installed. Nothing is started.
            With a command: its own help, as 'volt COMMAND --help' shows it.

              -a, --all   also what else is found on this machine, with its summary, and the aliases

            Examples:
              volt help gitops
              volt help gitops create
            """,
        run: run)

    @Sendable private static func run(_ session: Session, _ words: [[UInt8]]) -> Int32 {
        guard let first = words.first else { return Console.print(overview(session)) }
        let name = String(decoding: first, as: UTF8.self)
        if name == "-a" || name == "--all" {
            if words.count > 1 { return Console.fail(Arguments.unexpected(words[1], "help")) }
            return Console.print(everything(session))
        }
        if first.first == UInt8(ascii: "-") && !["-h", "--help"].contains(name) {
            return Console.fail(Arguments.unexpected(first, "help"))
        }
        if name == "-h" || name == "--help" { return Console.print(text(of: builtIn)) }
        guard ToolName.isValid(first) else {
            return Console.fail(Unknown.error(Console.shown(first), session))
        }
        if let command = CommandTable.builtIn(name) { return Console.print(text(of: command)) }
        let rest = Array(words.dropFirst())
        if let tool = session.search.first(name) {
            return Console.fail(session.launch(tool, rest + [Array("--help".utf8)]))
        }
        if let present = session.search.all(name).first(where: { $0.problem == .notExecutable }) {
            return Console.fail(present.error)
        }
        if let tool = CommandTable.firstParty(name) { return Console.fail(Unknown.notInstalled(tool)) }
        do throws(VoltError) {
            if let alias = try session.aliases()[name] {
                return Console.print("'\(name)' is an alias for 'volt \(Console.shown(alias.text))'\n")
            }
        } catch { return Console.fail(error) }
        return Console.fail(Unknown.error(name, session))
    }

    static func text(of command: BuiltIn) -> String {
        "volt \(command.name) - \(command.summary)\n\nUsage: \(command.usage)\n\n\(command.help)\n"
    }

    /// The short list: built in and from the table, with what is absent marked.
    static func overview(_ session: Session, asError: Bool = false) -> String {
        let text = """
            volt \(VoltVersion.text): containers and Git-driven deployments on plain Linux hosts

            Usage: volt [OPTIONS] COMMAND [ARGUMENTS]

            \(groups(session, extensions: []))
            volt itself
            \(Console.columns(CommandTable.builtIns.map { [$0.name, $0.summary] }, indent: "  "))
            Options, before the command
            \(Console.columns(options, indent: "  "))
            'volt help COMMAND' shows the help of a command, 'volt help -a' everything that is found.
            """
        return asError ? text : text + "\n"
    }

    private static let options = [
        ["-C DIR", "work in this directory"],
        ["--root DIR", "keep configuration, state and caches of every tool below this directory"],
        ["--config FILE", "a configuration file, for tools that have one"],
        ["--color WHEN", "auto, always or never"],
        ["--log-level LEVEL", "debug, info, warning or error"],
        ["--exec-path DIR", "look for tools in this absolute directory first"],
        ["--version", "the version of volt"],
        ["--list-cmds=KINDS", "names for scripts: main, installed, others, alias"],
    ]

    /// The groups of the table, each with the extensions that name it.
    private static func groups(_ session: Session, extensions: [ToolMetadata]) -> String {
        let rows = CommandTable.groups.map { group in
            group.tools.map { tool in
                let absent = session.search.first(tool.name) == nil
                let mark = tool.isReleased ? "not installed" : "not part of this release"
                return [tool.name, tool.summary, absent ? mark : ""]
            } + extensions.filter { $0.group == group.name }.map { [$0.name, $0.summary, ""] }
        }
        // One set of widths for all groups.
        let lines = Console.columns(rows.flatMap { $0 }, indent: "  ").split(
            separator: "\n", omittingEmptySubsequences: false)[...]
        var rest = lines
        var text = ""
        for (group, tools) in zip(CommandTable.groups, rows) {
            text += "\(group.title)\n" + rest.prefix(tools.count).map { $0 + "\n" }.joined() + "\n"
            rest = rest.dropFirst(tools.count)
        }
        text.removeLast()
        return text
    }

    private static func everything(_ session: Session) -> String {
        let found = Inventory.tools(session).filter { CommandTable.firstParty($0.name) == nil }
        let answers = Inventory.metadata(found, session)
        let known = found.compactMap { try? answers[$0.name]?.get() }
        let hidden = Set(known.filter(\.hidden).map(\.name))
        let shown = known.filter { !$0.hidden }
        let groupNames = CommandTable.groups.map(\.name)
        let grouped = shown.filter { groupNames.contains($0.group ?? "") }
        var text = groups(session, extensions: grouped)
        text += "\nvolt itself\n"
        text += Console.columns(CommandTable.builtIns.map { [$0.name, $0.summary] }, indent: "  ")
        let elsewhere = found.filter { tool in
            !hidden.contains(tool.name) && !grouped.contains { $0.name == tool.name }
        }
        if !elsewhere.isEmpty {
            text += "\nElsewhere\n"
            text += Console.columns(
                elsewhere.map { tool in
                    let path = Console.shown((tool.chosen ?? tool.others.first)?.path ?? "")
                    switch answers[tool.name] {
                    case .success(let metadata): return [tool.name, Console.shown(metadata.summary), path]
                    case .failure(let failure):
                        return [tool.name, "(\(Console.shown(failure.reason)))", path]
                    case nil: return [tool.name, "", path]
                    }
                }, indent: "  ")
        }
        do throws(VoltError) {
            let aliases = try session.aliases().entries
            if !aliases.isEmpty {
                text += "\nAliases\n"
                text += Console.columns(AliasesCommand.rows(aliases, session), indent: "  ")
            }
        } catch { text += "\nAliases\n  (\(Console.shown(error.message)))\n" }
        return text
    }
}
