internal import VoltCore
internal import VoltPlugin

/// `volt version`: tools are installed one by one, so each has a version of its own.
enum VersionCommand {
    static let builtIn = BuiltIn(
        name: "version", summary: "show the version of volt, or of every tool",
        usage: "volt version [--all] [-o table|json]",
        help: """
              -a, --all   the version of every tool that is found, and the VoltKit it was built with

            Example:
              volt version --all
            """,
        run: run)

    @Sendable private static func run(_ session: Session, _ words: [[UInt8]]) -> Int32 {
        Arguments.run(builtIn, words, flags: ["-a": "--all"], atMost: 0) { (arguments) throws(VoltError) in
            var members: [String: JSONValue] = [
                "version": .string(VoltVersion.text), "contract": .number("\(ToolMetadata.contract)"),
                "path": .string(String(decoding: session.selfPath, as: UTF8.self)),
            ]
            var rows = [["NAME", "VERSION", "KIT", "PATH"]]
            rows.append([
                "volt", VoltVersion.text, VoltVersion.text, Console.shown(session.selfPath),
            ])
            if arguments.flags.contains("--all") {
                let tools = Inventory.tools(session)
                let answers = Inventory.metadata(tools, session)
                var objects: [JSONValue] = []
                for tool in tools {
                    let metadata = try? answers[tool.name]?.get()
                    let path = (tool.chosen ?? tool.others.first)?.path ?? ""
                    rows.append([
                        tool.name, metadata.map { Console.shown($0.version) } ?? "?",
                        metadata?.kit.map { Console.shown($0) } ?? "-", Console.shown(path),
                    ])
                    var object: [String: JSONValue] = ["name": .string(tool.name), "path": .string(path)]
                    if let metadata {
                        object["version"] = .string(metadata.version)
                        if let kit = metadata.kit { object["kit"] = .string(kit) }
                    }
                    objects.append(.object(object))
                }
                members["tools"] = .array(objects)
                if !arguments.asJSON { return Console.print(Console.columns(rows)) }
            }
            return Console.print(
                arguments.asJSON ? JSONValue.object(members).text() + "\n" : "volt \(VoltVersion.text)\n")
        }
    }
}
