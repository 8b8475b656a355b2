/// `docs/cli-reference.md`, written from what the tools say about themselves.
enum Reference {
    /// - Parameters:
    ///   - volt: the help of `volt` and of each command built into it.
    ///   - tools: the commands of each tool, named as `volt` runs them.
    static func text(volt: [(command: String, help: String)], tools: [HelpDump.Command]) -> String {
        var text = """
            # Command reference

            Written by `make reference` from the tools themselves. `volt x …` and `volt-x …` are the same
            command. Every command takes `--help`; every tool takes `--version`, and `--root DIR`, `--config
            FILE`, `--color WHEN` and `--log-level LEVEL` before the command. Exit codes are in
            [the contract](contract.md#exit-codes).


            """
        for tool in tools {
            text += "- [volt \(tool.commandName)](#\(anchor(title(tool)))): \(tool.abstract ?? "")\n"
        }
        text += "- [volt](#volt): find and run the tools\n\n"
        for tool in tools {
            text += "## \(title(tool))\n\n" + prose(tool.discussion ?? "")
            for command in tool.visibleSubcommands {
                text += section(command, path: "volt \(tool.commandName)")
            }
        }
        text += "## volt\n\n"
        for (command, help) in volt { text += "### \(command)\n\n```\n\(help)```\n\n" }
        while text.hasSuffix("\n\n") { text.removeLast() }
        return text
    }

    /// The dash is punctuation, which GitHub drops from an anchor, and leaves two hyphens for the spaces.
    private static func title(_ tool: HelpDump.Command) -> String {
        "volt \(tool.commandName) — \(tool.abstract ?? "")"
    }

    private static func section(_ command: HelpDump.Command, path: String) -> String {
        let name = "\(path) \(command.commandName)"
        var text = "### \(name)\n\n"
        if let abstract = command.abstract, !abstract.isEmpty { text += sentence(abstract) + "\n\n" }
        let arguments = command.visibleArguments
        if command.visibleSubcommands.isEmpty {
            text += "```\n\(usage(name, arguments))\n```\n\n"
        }
        text += prose(command.discussion ?? "")
        if !arguments.isEmpty {
            text += "| argument | |\n|---|---|\n"
            for argument in arguments {
                var meaning = argument.abstract ?? ""
                if let value = argument.defaultValue, argument.kind != "flag" {
                    meaning += " Default: \(value)."
                }
                text += "| `\(cell(argument.spelling))` | \(cell(meaning)) |\n"
            }
            text += "\n"
        }
        for child in command.visibleSubcommands { text += section(child, path: name) }
        return text
    }

    /// The line of usage, broken before column 100.
    private static func usage(_ name: String, _ arguments: [HelpDump.Argument]) -> String {
        var lines = [name]
        for argument in arguments {
            if lines[lines.count - 1].count + argument.usage.count > 98 {
                lines.append("    \(argument.usage)")
            } else {
                lines[lines.count - 1] += " \(argument.usage)"
            }
        }
        return lines.joined(separator: "\n")
    }

    /// A discussion as Markdown: lines with an indent are shown as they are.
    private static func prose(_ discussion: String) -> String {
        var text = ""
        var isCode = false
        for line in discussion.split(separator: "\n", omittingEmptySubsequences: false) {
            let indented = line.hasPrefix("  ")
            if indented != isCode, !line.isEmpty {
                text += isCode ? "```\n\n" : "\n```sh\n"
                isCode = indented
            }
            text += (isCode && indented ? line.dropFirst(2) : line) + "\n"
        }
        if isCode { text += "```\n" }
        // No blank line twice in a row, none before the end of a block of code.
        while let place = text.firstRange(of: "\n\n\n") { text.replaceSubrange(place, with: "\n\n") }
        text = text.replacing("\n\n```\n", with: "\n```\n")
        while text.hasSuffix("\n") { text.removeLast() }
        while text.hasPrefix("\n") { text.removeFirst() }
        return text.isEmpty ? "" : text + "\n\n"
    }

    private static func sentence(_ text: String) -> String {
        text.prefix(1).uppercased() + text.dropFirst() + (text.hasSuffix(".") ? "" : ".")
    }

    private static func cell(_ text: String) -> String {
        text.replacing("|", with: "\\|").replacing("\n", with: " ")
    }

    /// The anchor that GitHub gives a heading: lower case, letters, digits, hyphens and underscores stay,
    /// spaces become hyphens, everything else goes.
    static func anchor(_ heading: some StringProtocol) -> String {
        String(
            heading.lowercased().compactMap { character in
                if character == " " { return "-" }
                return character.isLetter || character.isNumber || character == "-" || character == "_"
                    ? character : nil
            })
    }
}
