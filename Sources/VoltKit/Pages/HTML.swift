internal import VoltCore

/// A piece of HTML. What is put into one is escaped unless it is HTML itself, so that nothing from a
/// repository or a provider can become markup.
public struct HTML: ExpressibleByStringInterpolation, Sendable, Equatable {
    /// The markup.
    public let text: String

    /// For interpolation: literals are markup, values are text.
    public struct StringInterpolation: StringInterpolationProtocol {
        fileprivate var text = ""

        /// For the compiler.
        public init(literalCapacity: Int, interpolationCount: Int) { text.reserveCapacity(literalCapacity) }

        /// Markup.
        public mutating func appendLiteral(_ literal: String) { text += literal }

        /// A text.
        public mutating func appendInterpolation(_ value: String) { text += HTML.escaped(value) }

        /// A number.
        public mutating func appendInterpolation(_ value: Int64) { text += String(value) }

        /// Markup.
        public mutating func appendInterpolation(_ markup: HTML) { text += markup.text }

        /// Markup, one after the other.
        public mutating func appendInterpolation(_ parts: [HTML]) { for part in parts { text += part.text } }
    }

    /// Markup.
    public init(stringLiteral value: String) { text = value }

    /// Markup with values in it.
    public init(stringInterpolation: StringInterpolation) { text = stringInterpolation.text }

    /// The text with what HTML reads in texts and in quoted attributes replaced, and without what a browser
    /// does not show or shows the wrong way round.
    static func escaped(_ text: String) -> String {
        var result = String.UnicodeScalarView()
        for scalar in text.unicodeScalars {
            switch scalar {
            case "&": result.append(contentsOf: "&amp;".unicodeScalars)
            case "<": result.append(contentsOf: "&lt;".unicodeScalars)
            case ">": result.append(contentsOf: "&gt;".unicodeScalars)
            case "\"": result.append(contentsOf: "&quot;".unicodeScalars)
            case "'": result.append(contentsOf: "&#39;".unicodeScalars)
            case "\n", "\t": result.append(scalar)
            default: result.append(PrintableText.isPrintable(scalar) ? scalar : "\u{FFFD}")
            }
        }
        return String(result)
    }
}
