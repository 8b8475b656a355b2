internal import VoltCore

/// A parsed Voltfile. Words are as written: variables are filled in when the build comes to them.
struct Voltfile: Sendable, Equatable {
    /// The name of the file in a source.
    static let fileName = "Voltfile"

    /// The instructions that a Voltfile may have.
    static let supported = [
        "ADD", "ARG", "CMD", "COPY", "ENTRYPOINT", "ENV", "EXPOSE", "FROM", "LABEL", "RUN", "USER", "WORKDIR",
    ]

    /// A command as a text for the shell, or as words.
    enum Command: Sendable, Equatable {
        /// Run by `/bin/sh -c`.
        case shell(String)
        /// Run as it is.
        case words([String])

        /// The words to execute.
        var words: [String] {
            switch self {
            case .shell(let text): ["/bin/sh", "-c", text]
            case .words(let words): words
            }
        }
    }

    /// COPY or ADD.
    struct Copy: Sendable, Equatable {
        /// Whether archives are unpacked (ADD).
        var unpacks: Bool
        /// Paths of the context, with patterns.
        var sources: [String]
        /// Where to, in the image.
        var destination: String
        /// `user[:group]`, or nil for root.
        var owner: String?
        /// Octal permissions, or nil for those of the source.
        var mode: UInt32?
    }

    /// What an instruction does.
    enum Action: Sendable, Equatable {
        case from(image: String)
        case arguments([Assignment])
        case environment([Assignment])
        case labels([Assignment])
        case workdir(String)
        case user(String)
        case expose([String])
        case copy(Copy)
        case run(Command)
        case command(Command)
        case entrypoint(Command)
    }

    /// `name=value`.
    struct Assignment: Sendable, Equatable {
        var name: String
        var value: String?
    }

    /// An instruction with its place.
    struct Step: Sendable, Equatable {
        /// The line on which it begins, from 1.
        let line: Int
        /// The instruction on one line, for people.
        let text: String
        /// What it does.
        let action: Action
    }

    /// The instructions in order.
    let steps: [Step]
    /// What takes the meaning of the next character away: a backslash, or a grave accent by directive.
    let escape: Character
    /// The name of the file, for errors.
    let file: String

    /// An error at a line of a Voltfile.
    static func failure(_ file: String, _ line: Int, _ message: String, hint: String? = nil) -> VoltError {
        VoltError(.failed, "Voltfile parse error: \(file):\(line): \(message)", hint: hint)
    }
}
