public import VoltServer

/// The text format of Prometheus (version 0.0.4).
public struct MetricsPage: Sendable {
    /// The lines.
    public private(set) var text = ""

    /// No lines.
    public init() {}

    /// Begins a family of samples.
    ///
    /// - Parameter type: `counter`, `gauge` or `histogram`.
    public mutating func family(_ name: String, _ type: String, _ help: String) {
        text += "# HELP \(name) \(help)\n# TYPE \(name) \(type)\n"
    }

    /// A sample.
    ///
    /// - Parameter labels: of this program's own letters: nothing in them is escaped.
    public mutating func sample(_ name: String, _ labels: [(String, String)], _ value: Int64) {
        let inner = labels.map { "\($0.0)=\"\($0.1)\"" }.joined(separator: ",")
        text += inner.isEmpty ? "\(name) \(value)\n" : "\(name){\(inner)} \(value)\n"
    }

    /// A line as it is.
    public mutating func line(_ line: String) { text += line + "\n" }

    /// The answer of `/metrics`.
    public static func response(_ text: String) -> HTTPResponse {
        HTTPResponse(200, text, type: "text/plain; version=0.0.4; charset=utf-8")
    }
}
