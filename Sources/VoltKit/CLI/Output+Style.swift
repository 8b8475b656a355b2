internal import Glibc
public import VoltCore
internal import VoltSystem

/// What `--log-level` and `--color` change. Both arrive as variables, checked before a command runs.
extension Output {
    /// What is said at least; `LogLevel.init(ofLine:)` tells what a line is.
    public static let level = Environment.current["VOLT_LOG"].flatMap { LogLevel(rawValue: $0) } ?? .info

    /// Prints a line that helps to find a fault, with `--log-level debug`.
    public static func debug(_ line: @autoclosure () -> String) {
        if level == .debug { note("debug: \(line())") }
    }

    /// Whether a standard stream gets colours: as `--color` says, and with `auto` when it is a terminal, `NO_COLOR`
    /// is not set (no-color.org) and the terminal is not `dumb`.
    public static func usesColor(_ descriptor: Int32) -> Bool {
        let environment = Environment.current
        switch environment["VOLT_COLOR"] {
        case "always": return true
        case "never": return false
        default:
            return isTerminal(descriptor) && (environment["NO_COLOR"] ?? "").isEmpty
                && environment["TERM"] != "dumb"
        }
    }

    /// A colour of the terminal (ECMA-48, SGR).
    enum Color: String {
        case red = "31", green = "32", yellow = "33"

        func paint(_ text: String) -> String { "\u{1B}[\(rawValue)m\(text)\u{1B}[0m" }

        /// The colour of a status word of any tool, or nil.
        init?(status word: String) {
            switch word {
            case "success", "running", "healthy", "deployed", "active": self = .green
            case "failed", "unhealthy", "absent", "interrupted": self = .red
            case "queued", "deploying", "restarting", "starting", "held", "waiting", "waiting for approval",
                "suspended", "drifted", "unseen", "rolled-back":
                self = .yellow
            default: return nil
            }
        }
    }
}
