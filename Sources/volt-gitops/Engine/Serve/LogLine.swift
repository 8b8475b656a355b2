internal import FoundationEssentials
public import VoltCore

/// A line of the server's log, as `serve --log-format` prints it.
public struct LogLine: Encodable, Sendable, Equatable {
    /// When.
    public let time: Timestamp
    /// `error`, `warning`, `info` or `debug`.
    public let level: String
    /// The pipeline the line is about, or nil.
    public let pipeline: String?
    /// The attempt the line is about, or nil.
    public let attempt: Int64?
    /// The rest of the line.
    public let message: String

    /// Takes a line apart: `[error: |warning: |debug: ][<pipeline>: [attempt <number>: ]]message`.
    public init(_ line: String, at time: Timestamp) {
        self.time = time
        var rest = line[...]
        var level = "info"
        for word in ["error", "warning", "debug"] where rest.hasPrefix("\(word): ") {
            level = word
            rest = rest.dropFirst(word.utf8.count + 2)
        }
        self.level = level
        var found: (pipeline: String, attempt: Int64?)?
        if let end = rest.firstRange(of: ": "),
            let name = try? Name(String(rest[..<end.lowerBound]), of: "pipeline")
        {
            found = (name.text, nil)
            rest = rest[end.upperBound...]
            if let match = rest.prefixMatch(of: /attempt ([0-9]{1,18})(: | )/) {
                found?.attempt = Int64(match.1)
                rest = rest[match.range.upperBound...]
            }
        }
        pipeline = found?.pipeline
        attempt = found?.attempt
        message = String(rest)
    }

    /// `2025-07-14T15:30:01.000Z site: attempt 7: …`, the line without what could drive a terminal.
    public static func text(_ line: String, at time: Timestamp) -> String {
        "\(time) \(PrintableText.logLine(line))"
    }

    /// One JSON object on one line.
    public var json: String {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        // Texts and numbers always encode.
        return String(decoding: (try? encoder.encode(self)) ?? Data(), as: UTF8.self)
    }
}
