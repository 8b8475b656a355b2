internal import VoltCore
internal import VoltPlugin

/// `volt aliases`: the names a user made up.
enum AliasesCommand {
    static let builtIn = BuiltIn(
        name: "aliases", summary: "list the aliases, and where they are written",
        usage: "volt aliases [-o table|json]",
        help: """
            Aliases are lines of 'name = words' in the file 'aliases' of the configuration directory:
            /etc/volt for root, $XDG_CONFIG_HOME/volt or ~/.config/volt for others, etc below VOLT_ROOT.
            The words begin with a command or another alias; quotes keep spaces in a word; there is no shell.
            A command is never hidden by an alias of its name.

              -o, --output table|json   '--json' is the same as '-o json'

            Example of a line:
              deploys = gitops logs --limit 20
            """,
        run: run)

    @Sendable private static func run(_ session: Session, _ words: [[UInt8]]) -> Int32 {
        Arguments.run(builtIn, words, atMost: 0) { (arguments) throws(VoltError) in
            let aliases = try session.aliases().entries
            if arguments.asJSON {
                let list = aliases.map { alias in
                    JSONValue.object([
                        "name": .string(alias.name), "hidden": .bool(session.isCommand(alias.name)),
                        "words": .array(alias.words.map { .string(String(decoding: $0, as: UTF8.self)) }),
                    ])
                }
                return Console.print(JSONValue.array(list).text() + "\n")
            }
            if aliases.isEmpty, let file = session.aliasFile {
                Console.note("volt: no aliases; they are written in '\(Console.shown(file))'")
            }
            return Console.print(Console.columns([["NAME", "COMMAND", ""]] + rows(aliases, session)))
        }
    }

    static func rows(_ aliases: [Aliases.Entry], _ session: Session) -> [[String]] {
        aliases.map { alias in
            [
                alias.name, Console.shown(alias.text),
                session.isCommand(alias.name) ? "(never used: it is a command)" : "",
            ]
        }
    }
}
