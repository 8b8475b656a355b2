/// Which characters of foreign texts may reach a terminal, a log or a page. It is decided here and nowhere else.
///
/// Not printable are the controls of C0 and C1 and DEL, which drive terminals and end lines; the separators of lines and
/// paragraphs (U+2028, U+2029), which some readers take for line breaks; and what turns the direction of a text
/// (U+061C, U+200E, U+200F, U+202A to U+202E, U+2066 to U+2069), so that a line never reads in another order than it was
/// written in ("Trojan Source", CVE-2021-42574).
public enum PrintableText {
    /// Whether a character may be shown.
    public static func isPrintable(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar.value {
        case ..<32, 127...159, 0x061C, 0x200E...0x200F, 0x2028...0x202E, 0x2066...0x2069: false
        default: true
        }
    }

    /// Whether all characters of a text may be shown on one line.
    public static func isLine(_ text: some StringProtocol) -> Bool {
        text.unicodeScalars.allSatisfy(isPrintable)
    }

    /// A text on one line.
    ///
    /// - Parameters:
    ///   - limit: the most characters; what comes behind them is left out.
    ///   - replacement: stands for each character that is not printable.
    ///   - keeping: characters that are left as they are, though they are not printable.
    public static func line(
        _ text: some StringProtocol, limit: Int = .max, replacement: Unicode.Scalar = "?",
        keeping kept: Set<Unicode.Scalar> = []
    ) -> String {
        if limit == .max, isLine(text) { return String(text) }
        var result = String.UnicodeScalarView()
        for scalar in text.unicodeScalars.prefix(limit) {
            result.append(isPrintable(scalar) || kept.contains(scalar) ? scalar : replacement)
        }
        return String(result)
    }

    /// Bytes on one line; what is not UTF-8 becomes U+FFFD.
    public static func line(
        _ bytes: some Collection<UInt8>, limit: Int = .max, replacement: Unicode.Scalar = "?"
    ) -> String {
        line(String(decoding: bytes, as: UTF8.self), limit: limit, replacement: replacement)
    }

    /// A line of a log or of what a program printed: tabs stay.
    public static func logLine(_ text: some StringProtocol) -> String { line(text, keeping: ["\t"]) }

    /// A text of several lines: line feeds and tabs stay.
    public static func lines(_ text: some StringProtocol, replacement: Unicode.Scalar = "?") -> String {
        line(text, replacement: replacement, keeping: ["\n", "\t"])
    }

    /// A field between quotes in a log that programs split: printable ASCII, without quotes and backslashes.
    ///
    /// - Parameter limit: the most bytes.
    public static func field(_ text: String, limit: Int) -> String {
        String(
            decoding: text.utf8.prefix(limit).map { byte in
                switch byte {
                case UInt8(ascii: "\""), UInt8(ascii: "\\"): UInt8(ascii: "?")
                case 32...126: byte
                default: UInt8(ascii: "?")
                }
            }, as: UTF8.self)
    }
}
