internal import VoltCore
internal import VoltPlugin

/// From the command line to a command: built in, on the disk, or an alias.
struct Dispatch {
    /// Runs the command line of the process and gives the exit code.
    func run() -> Int32 {
        let words = Launcher.words
        do throws(VoltError) {
            try refuseLink(words.first ?? [])
            let options = try GlobalOptions(Array(words.dropFirst()))
            let session = try Session(options: options, inherited: Launcher.environment)
            guard let first = options.rest.first else {
                Console.note(HelpCommand.overview(session, asError: true))
                return ExitCode.usage.rawValue
            }
            if first.starts(with: ListCommands.option.utf8) {
                return try ListCommands.run(session, options.rest)
            }
            return try command(first, Array(options.rest.dropFirst()), session)
        } catch {
            return Console.fail(error)
        }
    }

    /// `volt-x -> volt` would call itself without end.
    private func refuseLink(_ name: [UInt8]) throws(VoltError) {
        let file = name.split(separator: UInt8(ascii: "/")).last ?? []
        guard file.starts(with: ToolName.filePrefix.utf8) else { return }
        throw VoltError(
            .cannotRun, "'\(Console.shown(name))' is a link to volt itself, not a tool",
            hint: "remove the link, or install the tool '\(Console.shown(Array(file)))'")
    }

    private func command(_ word: [UInt8], _ rest: [[UInt8]], _ session: Session) throws(VoltError) -> Int32 {
        guard ToolName.isValid(word) else { throw Unknown.error(Console.shown(word), session) }
        let name = String(decoding: word, as: UTF8.self)
        if let builtIn = CommandTable.builtIn(name) { return builtIn.run(session, rest) }
        if CommandTable.reserved.contains(name) {
            throw VoltError(.commandNotFound, "'\(name)' is reserved for a later volt")
        }
        if let tool = session.search.first(name) { throw session.launch(tool, rest) }
        if let present = session.search.all(name).first(where: { $0.problem == .notExecutable }) {
            throw present.error
        }
        if let tool = CommandTable.firstParty(name) { throw Unknown.notInstalled(tool) }
        if let words = try session.aliases().expand(name, isCommand: session.isCommand) {
            let target = String(decoding: words[0], as: UTF8.self)
            guard session.isCommand(target) else {
                throw VoltError(
                    .commandNotFound, "the alias '\(name)' leads to '\(target)', which is not a command",
                    hint: "see 'volt aliases'")
            }
            return try command(words[0], words.dropFirst() + rest, session)
        }
        throw Unknown.error(name, session)
    }
}

/// The errors for a name that leads to nothing that can be run.
enum Unknown {
    /// A guess is shown, never run.
    static func error(_ name: String, _ session: Session) -> VoltError {
        let aliases = (try? session.aliases())?.entries.map(\.name) ?? []
        let candidates =
            CommandTable.builtIns.map(\.name) + CommandTable.firstParties.map(\.name)
            + Inventory.names(session.search) + aliases
        let near = EditDistance.suggestions(for: name, among: candidates).map { "'volt \($0)'" }
        let hint =
            switch near.count {
            case 0: "see 'volt help -a' for what there is"
            case 1: "did you mean \(near[0])?"
            default: "did you mean \(near.dropLast().joined(separator: ", ")) or \(near[near.count - 1])?"
            }
        return VoltError(.commandNotFound, "'\(name)' is not a command of volt", hint: hint)
    }

    static func notInstalled(_ tool: FirstParty) -> VoltError {
        tool.isReleased
            ? VoltError(
                .commandNotFound, "'\(tool.name)' is not installed",
                hint: "install it with 'make install-\(tool.name)'")
            : VoltError(
                .commandNotFound, "'\(tool.name)' is not part of this release",
                hint: "'volt help' shows the tools that are")
    }
}
