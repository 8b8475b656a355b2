internal import FoundationEssentials
public import VoltCore
public import VoltSystem

/// Another tool of this host, asked by its command line. Everything blocks the calling thread.
public struct ToolCommand: Sendable {
    /// The absolute path of the program.
    public let path: String
    /// The whole environment of the program.
    public let environment: [String: String]

    /// - Parameters: see the properties.
    public init(path: String, environment: [String: String]) {
        self.path = path
        self.environment = environment
    }

    /// The file name, such as `volt-container`.
    public var name: String { path.split(separator: "/").last.map(String.init) ?? path }

    /// The end of a program that was asked, and what it printed.
    public struct Answer: Sendable {
        /// The command in quotes, for errors.
        let command: String
        /// How it ended.
        public let outcome: Child.Outcome
        /// What it printed on stdout, as far as the limit allows.
        public let output: [UInt8]
        /// Whether there was more than the limit allows.
        public let isCut: Bool
        /// Its error object, if it printed one.
        public let failure: ToolFailure?
        /// The last line on stderr that is not a hint.
        public let lastLine: String

        /// The reason of a failure on one line: the error of the tool, else its last line, else how it ended.
        public var reason: String {
            failure?.error ?? (lastLine.isEmpty ? "it \(outcome.words)" : lastLine)
        }

        /// The error of a program that did not end with 0.
        public var error: VoltError {
            let said = failure?.error ?? lastLine
            return VoltError(
                outcome.code, "\(command) \(outcome.words)" + (said.isEmpty ? "" : ": \(said)"),
                hint: failure?.hint)
        }

        /// Decodes what was printed.
        ///
        /// - Parameter what: the thing that is expected, for the error.
        /// - Throws: `VoltError` when the program failed or printed something else.
        public func decode<Value: Decodable>(_ type: Value.Type, _ what: String) throws(VoltError) -> Value {
            guard outcome == .exited(0) else { throw error }
            guard !isCut else { throw VoltError(.failed, "\(command) printed too much to be \(what)") }
            do { return try JSONDecoder().decode(type, from: Data(output)) } catch {
                throw VoltError(.failed, "\(command) printed something that is not \(what)")
            }
        }
    }

    /// Runs the program to its end.
    ///
    /// - Parameters:
    ///   - limit: afterwards it is killed, with all that it started.
    ///   - bytes: the most of stdout that is kept.
    /// - Throws: `VoltError` when the program cannot be started.
    public func ask(_ arguments: [String], limit: Duration, bytes: Int = WorkloadLimits.statusBytes)
        throws(VoltError) -> Answer
    {
        var output: [UInt8] = []
        var isCut = false
        var failure: ToolFailure?
        var last = ""
        let outcome = try Child.start(path, arguments, environment: environment)
            .finish(limit: limit, grace: WorkloadLimits.grace, longestLine: bytes + 1) { stream, line in
                switch stream {
                case .stdout:
                    let room = bytes - output.count
                    isCut = isCut || line.utf8.count > room
                    guard !isCut else { return }
                    output += line.utf8
                    output.append(10)
                case .stderr:
                    if let said = ToolFailure(line: line) { failure = said }
                    if ToolText.isReason(line) { last = ToolText.cut(line) }
                }
            }
        return Answer(
            command: "'\(name) \(arguments.first ?? "")'", outcome: outcome, output: output, isCut: isCut,
            failure: failure, lastLine: last)
    }
}

/// Lines of a tool, as reasons of a failure.
enum ToolText {
    /// Whether a line may be the reason: it says something, and is not the hint below a reason.
    static func isReason(_ line: String) -> Bool {
        !line.allSatisfy(\.isWhitespace) && !line.hasPrefix("hint: ") && !line.contains(": hint: ")
    }

    /// As much of a line as a reason may have.
    static func cut(_ line: String) -> String {
        line.utf8.count <= WorkloadLimits.reasonBytes
            ? line : String(decoding: line.utf8.prefix(WorkloadLimits.reasonBytes), as: UTF8.self) + "…"
    }
}

extension Child.Outcome {
    /// The outcome for people, such as `ended with 3`.
    public var words: String {
        switch self {
        case .exited(let code): "ended with \(code)"
        case .signalled(let number): "was ended by signal \(number)"
        case .timedOut: "took too long"
        }
    }

    /// The code of the error that stands for it: that of the tool where it means the same to the one who asked.
    var code: ExitCode {
        guard case .exited(let status) = self, let code = ExitCode(rawValue: status),
            [.notFound, .conflict, .refused, .usage, .tryAgain].contains(code)
        else { return .failed }
        return code
    }
}
