internal import VoltCore
internal import VoltPlugin

/// The words behind a built-in command.
struct Arguments {
    /// `--json`, `-o json` or `--output=json`
    private(set) var asJSON = false
    /// The flags that were given, by their long name.
    private(set) var flags: Set<String> = []
    /// What is no option.
    private(set) var words: [[UInt8]] = []
    /// `--help` was asked for.
    private(set) var wantsHelp = false

    /// - Parameters:
    ///   - input: the words behind the command.
    ///   - command: its name, for errors.
    ///   - allowed: its flags, long and short.
    ///   - count: how many words it takes at most.
    /// - Throws: `VoltError` with code `usage`.
    init(_ input: [[UInt8]], of command: String, flags allowed: [String: String] = [:], atMost count: Int)
        throws(VoltError)
    {
        var rest = input[...]
        while let bytes = rest.popFirst() {
            let word = String(decoding: bytes, as: UTF8.self)
            switch word {
            case "--":
                words += rest
                rest = []
            case "-h", "--help": wantsHelp = true
            case "--json": asJSON = true
            case "-o", "--output", "-ojson", "-otable", "--output=json", "--output=table":
                var format = word.hasSuffix("json") ? "json" : "table"
                if word == "-o" || word == "--output" {
                    format = rest.popFirst().map { String(decoding: $0, as: UTF8.self) } ?? ""
                }
                guard format == "json" || format == "table" else {
                    throw VoltError(
                        .usage, "'\(Console.shown(format))' is not a format",
                        hint: "write -o table or -o json")
                }
                asJSON = format == "json"
            case _ where word.hasPrefix("-") && word != "-":
                guard let long = allowed[word] ?? (allowed.values.contains(word) ? word : nil) else {
                    throw Self.unexpected(bytes, command)
                }
                flags.insert(long)
            default: words.append(bytes)
            }
        }
        if words.count > count { throw Self.unexpected(words[count], command) }
    }

    static func unexpected(_ word: [UInt8], _ command: String) -> VoltError {
        VoltError(
            .usage, "'volt \(command)' does not take '\(Console.shown(word))'",
            hint: "see 'volt help \(command)'")
    }

    /// Runs a built-in command that may throw.
    static func run(
        _ command: BuiltIn, _ input: [[UInt8]], flags: [String: String] = [:], atMost count: Int,
        _ body: (Arguments) throws(VoltError) -> Int32
    ) -> Int32 {
        do throws(VoltError) {
            let arguments = try Arguments(input, of: command.name, flags: flags, atMost: count)
            if arguments.wantsHelp { return Console.print(HelpCommand.text(of: command)) }
            return try body(arguments)
        } catch { return Console.fail(error) }
    }
}
