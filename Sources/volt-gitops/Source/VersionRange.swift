public import VoltCore

/// A range of versions as npm writes it: `^1.4`, `~1.4.2`, `>=1.2 <2`, `1.x`, `1.2 - 2.4`, `^1 || ^3`.
public struct VersionRange: Sendable, Equatable {
    private struct Bound: Equatable {
        enum Sign { case atLeast, above, below, atMost, equal }
        let sign: Sign
        let version: SemanticVersion

        func holds(_ other: SemanticVersion) -> Bool {
            switch sign {
            case .atLeast: other >= version
            case .above: other > version
            case .below: other < version
            case .atMost: other <= version
            case .equal: other == version
            }
        }
    }

    /// Any of them has to hold, each with all of its bounds.
    private var alternatives: [[Bound]] = []

    /// Whether a text is a range, and not the name or the pattern of tags.
    public static func isRange(_ text: String) -> Bool {
        // None of these may stand in the name of a tag, but for '<', '>' and '=', at which none begins.
        if text.contains(where: { " ^~|".contains($0) }) { return true }
        if let first = text.first, "<>=".contains(first) { return true }
        let parts = text.split(separator: ".", omittingEmptySubsequences: false)
        return parts.contains("x") && parts.allSatisfy { $0 == "x" || Int($0) != nil }
    }

    /// - Throws: `VoltError` with code `usage`.
    public init(_ text: String) throws(VoltError) {
        guard text.utf8.count <= 200 else { throw Self.refusal(text) }
        for alternative in text.split(separator: "||", omittingEmptySubsequences: false) {
            var bounds: [Bound] = []
            var sign = ""
            let words = alternative.split(whereSeparator: { $0 == " " || $0 == "," })
            if words.count == 3, words[1] == "-" {
                guard let low = Self.bounds(">=", String(words[0])),
                    let high = Self.bounds("<=", String(words[2]))
                else { throw Self.refusal(text) }
                alternatives.append(low + high)
                continue
            }
            for word in words {
                let operators = word.prefix { "<>=^~".contains($0) }
                let rest = word.dropFirst(operators.count)
                guard sign.isEmpty || operators.isEmpty else { throw Self.refusal(text) }
                sign += operators
                // '>= 1.2' is written, too.
                guard !rest.isEmpty else { continue }
                guard let more = Self.bounds(sign, String(rest)) else { throw Self.refusal(text) }
                bounds += more
                sign = ""
            }
            guard !bounds.isEmpty, sign.isEmpty else { throw Self.refusal(text) }
            alternatives.append(bounds)
        }
    }

    private static func refusal(_ text: String) -> VoltError {
        VoltError(
            .usage, "'\(text)' is not a range of versions",
            hint:
                "write '^1.4', '~1.4.2', '>=1.2 <2', '1.2 - 2.4' or '1.x'; alternatives are separated by '||'"
        )
    }

    private static func bounds(_ sign: String, _ text: String) -> [Bound]? {
        var words = text.split(separator: ".", omittingEmptySubsequences: false)
        while let last = words.last, last == "x" || last == "*" { words.removeLast() }
        let numbers = words.map { $0.prefix { $0.isNumber } }
        guard numbers.allSatisfy({ !($0.count > 1 && $0.hasPrefix("0")) }) else { return nil }
        if words.isEmpty { return sign.isEmpty ? [Bound(sign: .atLeast, version: SemanticVersion(0))] : nil }
        guard let low = SemanticVersion(words.joined(separator: ".")) else { return nil }
        switch sign {
        case "^": return [Bound(sign: .atLeast, version: low), below(afterCaret(low))]
        case "~", "~>":
            return [Bound(sign: .atLeast, version: low), below(next(low, part: min(low.parts, 2)))]
        case ">=": return [Bound(sign: .atLeast, version: low)]
        case "<": return [below(low)]
        case ">":
            return low.parts == 3
                ? [Bound(sign: .above, version: low)]
                : [Bound(sign: .atLeast, version: next(low, part: low.parts))]
        case "<=":
            return low.parts == 3
                ? [Bound(sign: .atMost, version: low)] : [below(next(low, part: low.parts))]
        case "", "=":
            return low.parts == 3
                ? [Bound(sign: .equal, version: low)]
                : [Bound(sign: .atLeast, version: low), below(next(low, part: low.parts))]
        default: return nil
        }
    }

    private static func below(_ version: SemanticVersion) -> Bound { Bound(sign: .below, version: version) }

    /// The version after all with the same first numbers.
    private static func next(_ version: SemanticVersion, part: Int) -> SemanticVersion {
        switch part {
        case 1: SemanticVersion(version.major + 1)
        case 2: SemanticVersion(version.major, version.minor + 1)
        default: SemanticVersion(version.major, version.minor, version.patch + 1)
        }
    }

    /// The first version that may break: of the first number that is not zero.
    private static func afterCaret(_ version: SemanticVersion) -> SemanticVersion {
        if version.major > 0 || version.parts == 1 { return next(version, part: 1) }
        if version.minor > 0 || version.parts == 2 { return next(version, part: 2) }
        return next(version, part: 3)
    }

    /// Whether a version is in the range. A pre-release is only when the range names one of the same three
    /// numbers, as npm has it.
    public func contains(_ version: SemanticVersion) -> Bool {
        alternatives.contains { bounds in
            guard bounds.allSatisfy({ $0.holds(version) }) else { return false }
            return version.preRelease.isEmpty
                || bounds.contains { !$0.version.preRelease.isEmpty && $0.version.hasNumbers(of: version) }
        }
    }
}
