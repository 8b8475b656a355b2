/// What a Range field asks for of so many bytes (RFC 9110, section 14.2).
package enum ByteRange: Equatable, Sendable {
    /// Everything: there is no range, or one that is not understood.
    case all
    /// These bytes.
    case part(Range<UInt64>)
    /// Nothing that is there.
    case unsatisfiable

    package init(_ field: String?, of count: UInt64) {
        guard let field, field.utf8.count <= 200, field.lowercased().hasPrefix("bytes=") else {
            self = .all
            return
        }
        let text = field.dropFirst(6)
        // Several ranges would be an answer in parts, which no registry gives.
        guard !text.contains(","), let dash = text.firstIndex(of: "-") else {
            self = .all
            return
        }
        let first = text[..<dash]
        let last = text[text.index(after: dash)...]
        if first.isEmpty {
            guard let suffix = Self.number(last) else {
                self = .all
                return
            }
            self = suffix == 0 || count == 0 ? .unsatisfiable : .part(count - min(count, suffix)..<count)
            return
        }
        guard let start = Self.number(first), last.isEmpty || (Self.number(last).map { $0 >= start } ?? false)
        else {
            self = .all
            return
        }
        guard start < count else {
            self = .unsatisfiable
            return
        }
        let end = last.isEmpty ? count - 1 : min(Self.number(last) ?? 0, count - 1)
        self = .part(start..<end + 1)
    }

    /// The two ends of `FIRST-LAST`, as chunks of uploads have them in Content-Range; `bytes ` may stand before.
    package static func chunk(_ field: String) -> ClosedRange<UInt64>? {
        guard field.utf8.count <= 200 else { return nil }
        var text = field[...]
        for prefix in ["bytes ", "bytes="] where text.hasPrefix(prefix) { text = text.dropFirst(6) }
        // What a client of HTTP would write behind it: the size of the whole, or a star.
        if let slash = text.firstIndex(of: "/") { text = text[..<slash] }
        let ends = text.split(separator: "-", omittingEmptySubsequences: false)
        guard ends.count == 2, let first = number(ends[0]), let last = number(ends[1]), first <= last else {
            return nil
        }
        return first...last
    }

    /// Digits and nothing else; `UInt64` would take a sign, too. At most 18, so that one more is no overflow.
    private static func number(_ text: Substring) -> UInt64? {
        guard (1...18).contains(text.utf8.count), text.utf8.allSatisfy({ (48...57).contains($0) }) else {
            return nil
        }
        return UInt64(text)
    }
}
