internal import Glibc
internal import VoltCore
internal import VoltPlugin

/// A tool that was found, with the files behind it that are not reached.
struct FoundTool {
    let name: String
    /// What runs, or nil when nothing of that name can be run.
    let chosen: Candidate?
    /// The other files of that name, in the order of the search.
    let others: [Candidate]
}

/// What lies in the directories of the search. Only listings look here, never the way to a command.
enum Inventory {
    /// The names of all tools, sorted; names that `volt` has for itself are left out.
    static func names(_ search: PluginSearch) -> [String] {
        search.names().filter { !CommandTable.reserved.contains($0) }
    }

    /// All tools, sorted by name.
    static func tools(_ session: Session) -> [FoundTool] {
        names(session.search).compactMap { name in
            let all = session.search.all(name)
            guard !all.isEmpty else { return nil }
            let chosen = all.first { $0.problem == nil }
            return FoundTool(name: name, chosen: chosen, others: all.filter { $0 != chosen })
        }
    }

    /// The metadata of the tools that can be run, asked all at once.
    static func metadata(_ tools: [FoundTool], _ session: Session)
        -> [String: Result<ToolMetadata, MetadataFailure>]
    {
        var answers: [String: Result<ToolMetadata, MetadataFailure>] = [:]
        var asked: [(name: String, path: [UInt8])] = []
        for tool in tools {
            guard let chosen = tool.chosen else {
                let reason = tool.others.first?.problem?.rawValue ?? "it cannot be run"
                answers[tool.name] = .failure(MetadataFailure(reason))
                continue
            }
            if chosen.isSameFile(as: session.selfPath) {
                answers[tool.name] = .failure(MetadataFailure("it is a link to volt itself, not a tool"))
            } else {
                asked.append((tool.name, chosen.bytes))
            }
        }
        let probe = MetadataProbe(voltVersion: VoltVersion.text, environment: session.environment)
        for (tool, answer) in zip(asked, probe.ask(asked)) { answers[tool.name] = answer }
        return answers
    }
}
