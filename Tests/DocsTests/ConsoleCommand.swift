import Testing
import VoltSystem
import VoltTestKit

/// A command that a page or a help shows, as it is pasted: lines that end in a backslash belong to one.
struct ConsoleCommand {
    /// A file that a help shows beside its commands.
    struct File {
        let name: String
        let text: String
    }

    /// The page, or the verb of the help.
    let place: String
    /// What is pasted.
    let text: String
    /// Written before it runs.
    var files: [File] = []

    /// The commands of the console blocks of a page, in its order: `# ` is the prompt of root, `$ ` that of a user, and
    /// lines without one are output.
    static func page(_ path: String) throws -> [ConsoleCommand] {
        let page = String(decoding: try Files.read("\(Golden.root())/\(path)"), as: UTF8.self)
        var commands: [ConsoleCommand] = []
        var isConsole = false
        var pending: String?
        for line in page.split(separator: "\n", omittingEmptySubsequences: false) {
            if line.hasPrefix("```") {
                isConsole = line == "```console"
            } else if isConsole {
                let isPrompt = line.hasPrefix("# ") || line.hasPrefix("$ ")
                guard
                    let text = pending.map({ "\($0)\n\(line)" }) ?? (isPrompt ? "\(line.dropFirst(2))" : nil)
                else { continue }
                pending = text.hasSuffix("\\") ? text : nil
                if pending == nil { commands.append(ConsoleCommand(place: path, text: text)) }
            }
        }
        return commands
    }

    /// The examples of every verb of a tool.
    static func help(of tool: String) throws -> [ConsoleCommand] {
        func commands(_ command: HelpDump.Command, _ place: String) -> [ConsoleCommand] {
            let lines = (command.discussion ?? "").split(separator: "\n", omittingEmptySubsequences: false)
            return examples(lines, place)
                + command.visibleSubcommands.flatMap { commands($0, "\(place) \($0.commandName)") }
        }
        return commands(try HelpDump.command(of: tool), "volt \(tool)")
    }

    /// The examples of a command that is built into `volt`, whose help is text.
    static func help(builtIn name: String) throws -> [ConsoleCommand] {
        let scratch = try ScratchDirectory()
        let text = try ToolRunner(scratch: scratch.path)("volt", "help", name).stdout
        let lines = text.split(separator: "\n", omittingEmptySubsequences: false)
        let examples = lines.drop { $0 != "Example:" && $0 != "Examples:" }.dropFirst()
        return Self.examples(examples.prefix { !$0.isEmpty }, "volt \(name)")
    }

    /// Lines with an indent are commands; from one that is only `# NAME` on they are that file.
    private static func examples(_ lines: some Sequence<Substring>, _ place: String) -> [ConsoleCommand] {
        var commands: [ConsoleCommand] = []
        var file: (name: String, text: String)?
        var pending: String?
        for line in lines where line.hasPrefix("  ") {
            let line = line.dropFirst(2)
            if let known = file {
                file = (known.name, known.text + line + "\n")
            } else if line.hasPrefix("# ") {
                file = (String(line.dropFirst(2)), "")
            } else {
                let text = pending.map { "\($0)\n\(line)" } ?? String(line)
                pending = text.hasSuffix("\\") ? text : nil
                if pending == nil { commands.append(ConsoleCommand(place: place, text: text)) }
            }
        }
        if let file, !commands.isEmpty { commands[0].files = [File(name: file.name, text: file.text)] }
        return commands
    }
}
