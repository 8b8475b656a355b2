/// An error a person can act on: what failed, on what, why, and what to do about it.
///
/// The message is lower case without a full stop and has its subject in single quotes. The exit code
/// comes from `code` alone; nothing looks at the text of a message.
public struct VoltError: Error, Sendable, Equatable, CustomStringConvertible {
    /// Decides the exit code of the tool.
    public var code: ExitCode
    /// What failed, on what and why, on one line.
    public var message: String
    /// What the reader can do, or nil.
    public var hint: String?

    /// - Parameters:
    ///   - code: decides the exit code.
    ///   - message: what failed, on what and why.
    ///   - hint: what to do about it.
    public init(_ code: ExitCode, _ message: String, hint: String? = nil) {
        self.code = code
        self.message = message
        self.hint = hint
    }

    /// The message alone, without the hint.
    public var description: String { message }
}
