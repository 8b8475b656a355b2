internal import FoundationEssentials

/// The error of a tool that runs with `-o json`: one object on a line of stderr.
public struct ToolFailure: Sendable, Equatable {
    /// The exit code; nil when the object has none.
    public let code: Int32?
    /// The error.
    public let error: String
    /// The way to mend it.
    public let hint: String?

    /// The error that a line has, or nil when the line is something else.
    public init?(line: String) {
        // Most lines are no objects, and need not be parsed to know it.
        guard line.first == "{",
            let object = try? JSONDecoder().decode(Object.self, from: Data(line.utf8))
        else { return nil }
        code = object.code
        error = object.error
        hint = object.hint
    }

    private struct Object: Decodable {
        let code: Int32?
        let error: String
        let hint: String?

        enum Key: String, CodingKey { case code, error, hint }

        init(from decoder: any Decoder) throws {
            let values = try decoder.container(keyedBy: Key.self)
            error = try values.decode(String.self, forKey: .error)
            // The error is not lost because something beside it is of another type.
            code = try? values.decode(Int32.self, forKey: .code)
            hint = try? values.decode(String.self, forKey: .hint)
        }
    }
}
