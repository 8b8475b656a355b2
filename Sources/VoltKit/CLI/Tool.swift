public import ArgumentParser
internal import Dispatch
internal import FoundationEssentials
internal import Glibc
internal import VoltCore
internal import VoltSystem

/// The root command of a `volt-<name>` executable.
///
/// ```swift
/// @main struct VoltHello: Tool {
///     static let tool = ToolDescription(name: "hello", version: "1.0", summary: "say hello")
///     static let configuration = CommandConfiguration(tool: tool, subcommands: [Say.self])
///     static func main() { runTool() }
/// }
/// ```
public protocol Tool: ParsableCommand {
    /// The tool's name, version and summary.
    static var tool: ToolDescription { get }
    /// Whether the tool reads the configuration file of `--config`; one that does not refuses the option.
    static var readsConfiguration: Bool { get }
}

/// What `volt plugins` and `--volt-metadata` tell about a tool.
public struct ToolDescription: Sendable {
    /// The version of the contract between `volt` and its tools that this kit speaks.
    public static let contract = 1
    /// The name behind `volt-`.
    public let name: String
    /// The version of the tool.
    public let version: String
    /// At most 72 characters, no full stop.
    public let summary: String
    /// The kinds of workload that `volt-<name> apply` takes.
    public let kinds: [String]
    /// The units of systemd that `volt-<name> install-service` may write.
    public let units: [String]
    /// The variable by which the service among them gets its port, or nil.
    public let portVariable: String?
    /// The verb that lists what the tool runs on this host, or nil; see `docs/contract.md`.
    public let instances: String?

    /// - Parameters:
    ///   - name: the name behind `volt-`.
    ///   - version: the version of the tool.
    ///   - summary: at most 72 characters, no full stop.
    ///   - kinds: the kinds of workload the tool applies.
    ///   - units: the units of systemd that it may write.
    ///   - portVariable: the variable by which its service gets its port.
    ///   - instances: the verb that lists what it runs.
    public init(
        name: String, version: String, summary: String, kinds: [String] = [], units: [String] = [],
        portVariable: String? = nil, instances: String? = nil
    ) {
        self.name = name
        self.version = version
        self.summary = summary
        self.kinds = kinds
        self.units = units
        self.portVariable = portVariable
        self.instances = instances
    }
}

extension CommandConfiguration {
    /// The configuration of a tool's root command: named `volt x` when run through `volt`, else `volt-x`.
    public init(
        tool: ToolDescription, discussion: String = "", subcommands: [any ParsableCommand.Type] = [],
        groupedSubcommands: [CommandGroup] = [], defaultSubcommand: (any ParsableCommand.Type)? = nil
    ) {
        let codes = """
            Exit codes: 0 done, 1 failed, 2 partly failed, 3 not found, 4 conflict, 5 refused, 64 usage, \
            69 a component is missing, 75 try again, 130 interrupted.
            Global options, before the command: --root DIR, --config FILE, --color auto|always|never, \
            --log-level debug|info|warning|error.
            """
        // ArgumentParser writes no completion script for a command with a super command, so the name
        // is only set when `volt` ran the tool.
        if Environment.current["VOLT_EXE"] != nil {
            self.init(
                commandName: tool.name, _superCommandName: "volt", abstract: tool.summary,
                discussion: discussion.isEmpty ? codes : "\(discussion)\n\n\(codes)", version: tool.version,
                subcommands: subcommands, groupedSubcommands: groupedSubcommands,
                defaultSubcommand: defaultSubcommand)
        } else {
            self.init(
                commandName: "volt-\(tool.name)", abstract: tool.summary,
                discussion: discussion.isEmpty ? codes : "\(discussion)\n\n\(codes)", version: tool.version,
                subcommands: subcommands, groupedSubcommands: groupedSubcommands,
                defaultSubcommand: defaultSubcommand)
        }
    }
}

/// Thrown by a command that has said everything and only sets the exit code, such as that of a payload.
public struct ExitStatus: Error, Sendable {
    /// The exit code of the process.
    public let code: Int32

    /// - Parameter code: the exit code of the process.
    public init(_ code: Int32) { self.code = code }
}

extension Tool {
    /// No.
    public static var readsConfiguration: Bool { false }

    /// Parses the command line, runs the command and ends the process with the documented exit code.
    ///
    /// Only an asynchronous command gets threads: starting them, and ending them when a command replaces
    /// this program by another, costs milliseconds.
    public static func runTool() -> Never {
        let words = Array(CommandLine.arguments.dropFirst())
        signal(SIGPIPE, SIG_DFL)
        if words == ["--volt-metadata"] {
            try? Output.put(metadata)
            end(nil, words)
        }
        do {
            try requireUTF8()
            let rest = try GlobalOptions.apply(words)
            try GlobalOptions.check(
                Environment.current, tool: tool.name, readsConfiguration: readsConfiguration)
            noteContract()
            Output.debug(
                "volt-\(tool.name) \(tool.version) at '\(Processes.selfPath)', VOLT_ROOT '\(Environment.current["VOLT_ROOT"] ?? "")'"
            )
            let started = ContinuousClock.now
            var command = try parseAsRoot(rest)
            if let asynchronous = command as? any AsyncParsableCommand { run(asynchronous, words) }
            try command.run()
            Output.debug("done after \((ContinuousClock.now - started).milliseconds) ms")
            end(nil, words)
        } catch {
            end(error, words)
        }
    }

    /// Text is UTF-8. A path of other bytes would come here as that of another file, which may be there.
    private static func requireUTF8() throws {
        for index in 1..<max(1, Int(CommandLine.argc)) {
            guard let argument = CommandLine.unsafeArgv[index] else { continue }
            let bytes = UnsafeBufferPointer(start: argument, count: strlen(argument)).map {
                UInt8(bitPattern: $0)
            }
            guard String(validating: bytes, as: UTF8.self) != nil else {
                throw VoltError(
                    .usage, "'\(String(shown: bytes))' is not UTF-8, which every argument has to be",
                    hint: "give a file with such a name another one")
            }
        }
        guard let directory = getcwd(nil, 0) else { return }
        defer { free(directory) }
        guard String(validatingCString: directory) != nil else {
            throw VoltError(
                .usage, "the path of the current directory is not UTF-8",
                hint: "change to another directory, and name files from there")
        }
    }

    private static func run(_ command: any AsyncParsableCommand, _ words: [String]) -> Never {
        // The task alone uses it from here on.
        nonisolated(unsafe) var command = command
        Task {
            do {
                try await command.run()
                end(nil, words)
            } catch {
                end(error, words)
            }
        }
        dispatchMain()
    }

    /// Prints what is left, says what failed, and ends the process. Data that was not printed is a failure of its own.
    private static func end(_ error: (any Error)?, _ words: [String]) -> Never {
        var code = error.map { report($0, words: words) } ?? 0
        if let unprinted = Output.finish(), unprinted != error as? VoltError {
            let status = report(unprinted, words: words)
            if code == 0 { code = status }
        }
        Glibc.exit(code)
    }

    /// Says when `volt` speaks another version of the contract: what it hands over may mean something else.
    private static func noteContract() {
        let environment = Environment.current
        guard environment["VOLT_EXE"] != nil, let text = environment["VOLT_CONTRACT"],
            text != String(ToolDescription.contract)
        else { return }
        let name = ToolContext.displayName(of: tool.name, environment: environment)
        let shown = PrintableText.line(text, limit: 16)
        Output.note(
            "\(name): warning: 'volt' speaks version \(shown) of the contract, and this tool \(ToolDescription.contract): upgrade the older one"
        )
    }

    private static var metadata: String {
        let value = Metadata(
            name: tool.name, version: tool.version, summary: tool.summary, kinds: tool.kinds,
            units: tool.units.isEmpty ? nil : tool.units, portVariable: tool.portVariable,
            instances: tool.instances, kit: VoltVersion.text)
        return (try? Output.json(value)) ?? "{}"
    }

    /// Prints an error in the house style and gives the exit code.
    static func report(_ error: any Error, words: [String]) -> Int32 {
        let name = ToolContext.displayName(of: tool.name, environment: Environment.current)
        if let status = error as? ExitStatus { return status.code }
        if let error = error as? VoltError {
            report(error, name: name, asJSON: wantsJSON(words))
            return error.code.rawValue
        }
        let code = exitCode(for: error).rawValue
        if code == 0 {
            // The help, the version or a completion script.
            try? Output.put(fullMessage(for: error))
            return 0
        }
        if error is ArgumentParser.ExitCode { return code }
        if code == ExitCode.usage.rawValue {
            let hint = "see '\(name) --help'"
            let text = message(for: error)
            let sentence = text.prefix(1).lowercased() + text.dropFirst().prefix { $0 != "\n" }
            report(
                VoltError(
                    .usage, sentence.hasSuffix(".") ? String(sentence.dropLast()) : sentence, hint: hint),
                name: name, asJSON: wantsJSON(words))
            return code
        }
        report(VoltError(.failed, "\(error)"), name: name, asJSON: wantsJSON(words))
        return ExitCode.failed.rawValue
    }

    private static func report(_ error: VoltError, name: String, asJSON: Bool) {
        if asJSON {
            let failure = Failure(error: error.message, hint: error.hint, code: error.code.rawValue)
            Output.note((try? Output.json(failure, pretty: false)) ?? error.message)
            return
        }
        let word = Output.usesColor(2) ? Output.Color.red.paint("error:") : "error:"
        Output.note("\(name): \(word) \(PrintableText.lines(error.message))")
        if let hint = error.hint { Output.note("\(name): hint: \(PrintableText.lines(hint))") }
    }

    private static func wantsJSON(_ words: [String]) -> Bool {
        words.contains("--json") || words.contains("-ojson") || words.contains("--output=json")
            || zip(words, words.dropFirst()).contains { ($0 == "-o" || $0 == "--output") && $1 == "json" }
    }
}

/// The options that stand before the command in `volt x …` and `volt-x …` alike.
enum GlobalOptions {
    /// Applies the leading global options to the environment and gives the remaining words.
    static func apply(_ words: [String]) throws(VoltError) -> [String] {
        let variables = [
            "--root": "VOLT_ROOT", "--config": "VOLT_CONFIG", "--color": "VOLT_COLOR",
            "--log-level": "VOLT_LOG",
        ]
        var rest = words[...]
        while let word = rest.first {
            let parts = word.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            guard let option = parts.first.map(String.init), let variable = variables[option] else { break }
            rest = rest.dropFirst()
            var value: String
            if parts.count == 2 {
                value = String(parts[1])
            } else {
                guard let next = rest.first else { throw VoltError(.usage, "'\(option)' needs a value") }
                value = next
                rest = rest.dropFirst()
            }
            if option == "--root" || option == "--config" {
                value = Files.absolute(value, from: Files.currentDirectory)
            }
            guard !value.isEmpty else { throw VoltError(.usage, "the value of '\(option)' is empty") }
            Environment.set(variable, value)
        }
        return Array(rest)
    }

    /// Refuses what the variables say and the tool does not know.
    static func check(_ environment: [String: String], tool: String, readsConfiguration: Bool)
        throws(VoltError)
    {
        if let color = environment["VOLT_COLOR"], !color.isEmpty,
            !["auto", "always", "never"].contains(color)
        {
            throw VoltError(
                .usage, "'\(color)' is not a value of --color", hint: "write auto, always or never")
        }
        if let level = environment["VOLT_LOG"], !level.isEmpty, LogLevel(rawValue: level) == nil {
            throw VoltError(
                .usage, "'\(level)' is not a value of --log-level", hint: "write \(LogLevel.choices)")
        }
        if let file = environment["VOLT_CONFIG"], !file.isEmpty, !readsConfiguration {
            throw VoltError(
                .usage, "'volt-\(tool)' has no configuration file, so '\(file)' would change nothing",
                hint: "leave --config out, and VOLT_CONFIG; everything is set by options")
        }
    }
}

/// `--volt-metadata`, by the schema in `docs/contract.md`.
private struct Metadata: Encodable {
    var contract = ToolDescription.contract
    let name: String
    let version: String
    let summary: String
    let kinds: [String]
    let units: [String]?
    let portVariable: String?
    let instances: String?
    let kit: String
}

/// An error with `-o json`: one object on stderr.
private struct Failure: Encodable {
    let error: String
    let hint: String?
    let code: Int32
}
