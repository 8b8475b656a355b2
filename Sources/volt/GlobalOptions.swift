internal import Glibc
internal import VoltCore

/// The options before the name of the command. What they say travels to the tool in its environment.
struct GlobalOptions {
    /// What the tool's environment gets.
    private(set) var variables: [(name: String, value: [UInt8])] = []
    /// `--exec-path`
    private(set) var execPath: [UInt8]?
    /// The command and its words; an option that stands for a command is replaced by it.
    private(set) var rest: [[UInt8]] = []

    private static let variables: [String: String] = [
        "--root": "VOLT_ROOT", "--config": "VOLT_CONFIG", "--color": "VOLT_COLOR", "--log-level": "VOLT_LOG",
    ]

    /// Parses the words behind argv[0] and changes the directory for each `-C`.
    ///
    /// - Throws: `VoltError` with code `usage`.
    init(_ words: [[UInt8]]) throws(VoltError) {
        var words = words[...]
        var paths: [(name: String, value: [UInt8])] = []
        while let word = words.first, word.first == UInt8(ascii: "-"), word.count > 1 {
            words = words.dropFirst()
            if word.elementsEqual("--".utf8) { break }
            let equals = word.firstIndex(of: UInt8(ascii: "="))
            let option = String(decoding: word[..<(equals ?? word.endIndex)], as: UTF8.self)
            let attached = equals.map { Array(word[($0 + 1)...]) }
            func value() throws(VoltError) -> [UInt8] {
                guard let value = attached ?? words.popFirst() else {
                    throw VoltError(.usage, "'\(option)' needs a value", hint: "see 'volt help'")
                }
                guard !value.isEmpty else {
                    throw VoltError(.usage, "the value of '\(option)' is empty", hint: "see 'volt help'")
                }
                return value
            }
            switch option {
            case "-C" where attached == nil: try Self.changeDirectory(try value())
            case "--root", "--config": paths.append((Self.variables[option] ?? "", try value()))
            case "--log-level":
                let level = try value()
                guard LogLevel.allCases.contains(where: { level.elementsEqual($0.rawValue.utf8) }) else {
                    throw VoltError(
                        .usage, "'\(Console.shown(level))' is not a value of --log-level",
                        hint: "write \(LogLevel.choices)")
                }
                variables.append(("VOLT_LOG", level))
            case "--color":
                let when = try value()
                guard ["auto", "always", "never"].contains(where: { when.elementsEqual($0.utf8) }) else {
                    throw VoltError(
                        .usage, "'\(Console.shown(when))' is not a value of --color",
                        hint: "write auto, always or never")
                }
                variables.append(("VOLT_COLOR", when))
            case "--exec-path":
                let directory = try value()
                execPath = directory
                // A tool that runs another one searches the same directory.
                variables.append(("VOLT_EXEC_PATH", directory))
            case "-h" where attached == nil, "--help" where attached == nil:
                rest = [Array("help".utf8)] + words
            case "--version" where attached == nil: rest = [Array("version".utf8)] + words
            case "--list-cmds" where attached != nil: rest = [word] + words
            default:
                throw VoltError(
                    .usage, "unknown option '\(Console.shown(word))'",
                    hint: "see 'volt help'; options of a command stand after its name")
            }
            if !rest.isEmpty { break }
        }
        if rest.isEmpty { rest = Array(words) }
        // Seen from the directory that -C leads to, wherever it stands.
        for (name, value) in paths { variables.append((name, try Self.absolute(value))) }
        variables = variables.enumerated().filter { index, variable in
            !variables[(index + 1)...].contains { $0.name == variable.name }
        }.map(\.element)
    }

    private static func changeDirectory(_ path: [UInt8]) throws(VoltError) {
        guard chdir(path.map { CChar(bitPattern: $0) } + [0]) == 0 else {
            let reason = String(cString: strerror(errno)).lowercased()
            throw VoltError(.usage, "cannot change to the directory '\(Console.shown(path))': \(reason)")
        }
    }

    private static func absolute(_ path: [UInt8]) throws(VoltError) -> [UInt8] {
        if path.first == UInt8(ascii: "/") { return path }
        guard let directory = getcwd(nil, 0) else {
            throw VoltError(
                .usage, "'\(Console.shown(path))' is relative and the working directory is gone",
                hint: "write an absolute path")
        }
        defer { free(directory) }
        let bytes = UnsafeRawBufferPointer(start: directory, count: strlen(directory))
        return bytes.elementsEqual("/".utf8) ? bytes + path : bytes + [UInt8(ascii: "/")] + path
    }
}
