internal import VoltCore
internal import VoltPlugin

/// `--list-cmds=main,others,alias`: names for completion scripts, one a line, sorted.
enum ListCommands {
    static let option = "--list-cmds="

    static func run(_ session: Session, _ words: [[UInt8]]) throws(VoltError) -> Int32 {
        if words.count > 1 {
            throw VoltError(.usage, "'--list-cmds' stands alone", hint: "see 'volt help'")
        }
        let text = String(decoding: words[0].dropFirst(option.utf8.count), as: UTF8.self)
        var names: Set<String> = []
        for kind in text.split(separator: ",", omittingEmptySubsequences: false) {
            switch kind {
            case "main":
                names.formUnion(CommandTable.builtIns.map(\.name) + CommandTable.firstParties.map(\.name))
            case "installed":
                names.formUnion(CommandTable.builtIns.map(\.name))
                names.formUnion(
                    CommandTable.firstParties.map(\.name).filter { session.search.first($0) != nil })
            case "others":
                names.formUnion(
                    Inventory.names(session.search).filter {
                        CommandTable.firstParty($0) == nil && session.search.first($0) != nil
                    })
            case "alias":
                // This is what completion asks: a mistake in the file of aliases leaves the commands.
                let aliases = (try? session.aliases())?.entries.map(\.name) ?? []
                names.formUnion(aliases.filter { !session.isCommand($0) })
            default:
                throw VoltError(
                    .usage, "'\(Console.shown(String(kind)))' is not a list of commands",
                    hint: "write main, installed, others or alias, with commas between them")
            }
        }
        return Console.print(names.sorted().map { $0 + "\n" }.joined())
    }
}
