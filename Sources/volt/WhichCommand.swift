internal import VoltCore
internal import VoltPlugin

/// `volt which`: the file that a command is.
enum WhichCommand {
    static let builtIn = BuiltIn(
        name: "which", summary: "show the file that a command runs",
        usage: "volt which [-a] [-o table|json] COMMAND",
        help: """
            Prints the absolute path and exits with 0, or says why there is none and exits with 127.

              -a, --all                 every file of that name, in the order of the search
              -o, --output table|json   '--json' is the same as '-o json'

            Example:
              volt which -a gitops
            """,
        run: run)

    @Sendable private static func run(_ session: Session, _ words: [[UInt8]]) -> Int32 {
        Arguments.run(builtIn, words, flags: ["-a": "--all"], atMost: 1) { (arguments) throws(VoltError) in
            guard let word = arguments.words.first else {
                throw VoltError(.usage, "'volt which' needs a command", hint: "see 'volt help which'")
            }
            guard ToolName.isValid(word) else { throw Unknown.error(Console.shown(word), session) }
            let name = String(decoding: word, as: UTF8.self)
            if CommandTable.builtIn(name) != nil {
                let path = String(decoding: session.selfPath, as: UTF8.self)
                return Console.print(
                    arguments.asJSON
                        ? JSONValue.array([entry(path, "built-in", "runs")]).text() + "\n"
                        : arguments.flags.isEmpty
                            ? Console.shown(path) + "\n"
                            : Console.columns([[Console.shown(path), "built-in", "runs"]]))
            }
            let all = CommandTable.reserved.contains(name) ? [] : session.search.all(name)
            let chosen = all.first { $0.problem == nil }
            let listed = arguments.flags.isEmpty ? all.filter { $0 == chosen } : all
            if let chosen, arguments.flags.isEmpty, !arguments.asJSON {
                // The bytes as they are, for $(volt which x).
                return Console.print(chosen.bytes + [UInt8(ascii: "\n")])
            }
            if !listed.isEmpty {
                let rows = listed.map { candidate in
                    (
                        candidate.path, candidate.origin.rawValue,
                        candidate == chosen ? "runs" : candidate.problem?.rawValue ?? "shadowed"
                    )
                }
                let status = Console.print(
                    arguments.asJSON
                        ? JSONValue.array(rows.map { entry($0.0, $0.1, $0.2) }).text() + "\n"
                        : Console.columns(rows.map { [Console.shown($0.0), $0.1, $0.2] }))
                return status == 0 && chosen == nil ? ExitCode.cannotRun.rawValue : status
            }
            if let present = all.first(where: { $0.problem == .notExecutable }) { throw present.error }
            if let tool = CommandTable.firstParty(name) { throw Unknown.notInstalled(tool) }
            if let alias = try session.aliases()[name] {
                Console.note("volt: '\(name)' is an alias for 'volt \(Console.shown(alias.text))'")
                return ExitCode.commandNotFound.rawValue
            }
            throw Unknown.error(name, session)
        }
    }

    private static func entry(_ path: String, _ origin: String, _ state: String) -> JSONValue {
        .object(["path": .string(path), "origin": .string(origin), "state": .string(state)])
    }
}
