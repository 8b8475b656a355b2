internal import VoltCore
internal import VoltPlugin

/// `volt plugins`: what is found, where, what it hides, and what it says about itself.
enum PluginsCommand {
    static let builtIn = BuiltIn(
        name: "plugins", summary: "list the tools that are found, and what they say about themselves",
        usage: "volt plugins [-o table|json]",
        help: """
            Reads the metadata of each tool: <prefix>/share/volt/commands/<name>.json, or what
            'volt-<name> --volt-metadata' prints within 2 seconds. A tool without metadata runs all the same.

              -o, --output table|json   '--json' is the same as '-o json'

            Example:
              volt plugins --json
            """,
        run: run)

    @Sendable private static func run(_ session: Session, _ words: [[UInt8]]) -> Int32 {
        Arguments.run(builtIn, words, atMost: 0) { (arguments) throws(VoltError) in
            let tools = Inventory.tools(session)
            let answers = Inventory.metadata(tools, session)
            if arguments.asJSON {
                return Console.print(
                    JSONValue.array(tools.map { json($0, answers[$0.name]) }).text() + "\n")
            }
            var rows = [["NAME", "VERSION", "ORIGIN", "PATH", "SUMMARY"]]
            for tool in tools {
                let place = tool.chosen ?? tool.others.first
                var row = [tool.name, "-", place?.origin.rawValue ?? "-", Console.shown(place?.path ?? "-")]
                switch answers[tool.name] {
                case .success(let metadata):
                    row[1] = Console.shown(metadata.version)
                    row.append(Console.shown(metadata.summary))
                case .failure(let failure): row.append("(\(Console.shown(failure.reason)))")
                case nil: row.append("")
                }
                rows.append(row)
                for other in tool.others where other != place {
                    let remark = other.problem?.rawValue ?? "shadowed"
                    rows.append(["", "", other.origin.rawValue, Console.shown(other.path), "(\(remark))"])
                }
            }
            return Console.print(Console.columns(rows))
        }
    }

    private static func json(_ tool: FoundTool, _ answer: Result<ToolMetadata, MetadataFailure>?) -> JSONValue
    {
        let place = tool.chosen ?? tool.others.first
        var members: [String: JSONValue] = [
            "name": .string(tool.name), "path": place.map { .string($0.path) } ?? .null,
            "origin": place.map { .string($0.origin.rawValue) } ?? .null,
            "runnable": .bool(tool.chosen != nil),
            "firstParty": .bool(CommandTable.firstParty(tool.name) != nil),
            "shadowed": .array(
                tool.others.filter { $0 != place && $0.problem == nil }.map { .string($0.path) }),
            "passedOver": .array(
                tool.others.compactMap { other in
                    other.problem.map {
                        .object(["path": .string(other.path), "reason": .string($0.rawValue)])
                    }
                }),
            "metadata": .null, "reason": .null,
        ]
        switch answer {
        case .success(let metadata): members["metadata"] = metadata.json
        case .failure(let failure): members["reason"] = .string(failure.reason)
        case nil: break
        }
        return .object(members)
    }
}
