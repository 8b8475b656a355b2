import FoundationEssentials
import Testing
import VoltTestKit

/// What `--experimental-dump-help` prints: the commands of a tool as ArgumentParser sees them.
struct HelpDump: Decodable {
    /// The tools that are built, in the order of the reference.
    static let tools = ["gitops", "container", "service", "cas", "registry"]

    /// The commands of a tool.
    static func command(of tool: String) throws -> Command {
        let scratch = try ScratchDirectory()
        var runner = ToolRunner(scratch: scratch.path)
        // As `volt` runs it, so that it calls itself `volt x`.
        runner.environment["VOLT_EXE"] = "/usr/bin/volt"
        let result = try runner("volt-\(tool)", "--experimental-dump-help")
        try #require(result.status == 0, "\(result.stderr)")
        return try JSONDecoder().decode(HelpDump.self, from: Data(result.stdout.utf8)).command
    }

    struct Command: Decodable {
        let commandName: String
        let abstract: String?
        let discussion: String?
        let shouldDisplay: Bool?
        let subcommands: [Command]?
        let arguments: [Argument]?
    }

    struct Argument: Decodable {
        struct Name: Decodable {
            let kind: String
            let name: String

            var text: String { (kind == "long" ? "--" : "-") + name }
        }

        let kind: String
        let names: [Name]?
        let valueName: String?
        let abstract: String?
        let defaultValue: String?
        let isOptional: Bool
        let isRepeating: Bool
        let shouldDisplay: Bool?
    }

    let command: Command
}

extension HelpDump.Command {
    /// The commands below this one, without those that only the parser adds.
    var visibleSubcommands: [HelpDump.Command] {
        (subcommands ?? []).filter { $0.shouldDisplay != false && $0.commandName != "help" }
    }

    /// The arguments, without `--help` and `--version`, which every command has.
    var visibleArguments: [HelpDump.Argument] {
        (arguments ?? []).filter { argument in
            let names = (argument.names ?? []).map(\.name)
            return argument.shouldDisplay != false && !names.contains("help") && !names.contains("version")
        }
    }
}

extension HelpDump.Argument {
    /// How the argument is written, `--name NAME` or `NAME`.
    var spelling: String {
        let value = (valueName ?? "value").uppercased()
        switch kind {
        case "positional": return value
        case "flag": return (names ?? []).map(\.text).joined(separator: ", ")
        default: return (names ?? []).map(\.text).joined(separator: ", ") + " " + value
        }
    }

    /// The argument in a line of usage.
    var usage: String {
        let value = (valueName ?? "value").uppercased()
        let longest = (names ?? []).max { $0.name.count < $1.name.count }?.text ?? ""
        let text =
            switch kind {
            case "positional": value
            case "flag": longest
            default: "\(longest) \(value)"
            }
        let repeated = isRepeating ? "\(text)..." : text
        return isOptional ? "[\(repeated)]" : repeated
    }
}
