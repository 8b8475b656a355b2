/// A version by semver.org 2.0.0, in which the minor number and the patch may be left out.
public struct SemanticVersion: Sendable, Hashable, Comparable {
    /// The numbers.
    public var major: Int, minor: Int, patch: Int
    /// The identifiers of a pre-release, empty for a release.
    public var preRelease: [String]
    /// How many of the three numbers were written.
    let parts: Int

    init(_ major: Int, _ minor: Int = 0, _ patch: Int = 0, preRelease: [String] = [], parts: Int = 3) {
        self.major = major
        self.minor = minor
        self.patch = patch
        self.preRelease = preRelease
        self.parts = parts
    }

    /// Parses `1.4.2`, `v1.4`, `1.4.2-rc.1+build`; nil for any other text. A pre-release needs all numbers.
    public init?(_ text: String) {
        guard text.utf8.count <= 244 else { return nil }
        var rest = Substring(text)
        if rest.hasPrefix("v") { rest = rest.dropFirst() }
        if let plus = rest.firstIndex(of: "+") {
            guard Self.identifiers(rest[rest.index(after: plus)...]) != nil else { return nil }
            rest = rest[..<plus]
        }
        var preRelease: [String] = []
        if let dash = rest.firstIndex(of: "-") {
            guard let identifiers = Self.identifiers(rest[rest.index(after: dash)...]) else { return nil }
            preRelease = identifiers
            rest = rest[..<dash]
        }
        var numbers: [Int] = []
        for part in rest.split(separator: ".", omittingEmptySubsequences: false) {
            guard let number = Self.number(part) else { return nil }
            numbers.append(number)
        }
        guard (1...3).contains(numbers.count), preRelease.isEmpty || numbers.count == 3 else { return nil }
        let parts = numbers.count
        numbers += [0, 0]
        self.init(numbers[0], numbers[1], numbers[2], preRelease: preRelease, parts: parts)
    }

    /// The version of a tag, by the rules of npm: all three numbers, and no number with a zero before it. So the
    /// tag `2026` or `2026.01.05` is a date and no version; `2026.11.29` is one.
    static func strict(_ text: String) -> SemanticVersion? {
        guard let version = SemanticVersion(text), version.parts == 3 else { return nil }
        let numbers = text.drop { $0 == "v" }.prefix { $0 != "-" && $0 != "+" }.split(separator: ".")
        let written = numbers + version.preRelease.map { $0[...] }.filter { $0.allSatisfy(\.isNumber) }
        return written.contains { $0.count > 1 && $0.hasPrefix("0") } ? nil : version
    }

    /// Digits alone, of at most 15: a date and a time.
    private static func number(_ text: Substring) -> Int? {
        guard (1...15).contains(text.utf8.count), text.utf8.allSatisfy({ (48...57).contains($0) }) else {
            return nil
        }
        return Int(text)
    }

    private static func identifiers(_ text: Substring) -> [String]? {
        let parts = text.split(separator: ".", omittingEmptySubsequences: false)
        let isValid = parts.allSatisfy { part in
            !part.isEmpty
                && part.utf8.allSatisfy {
                    (48...57).contains($0) || (65...90).contains($0) || (97...122).contains($0) || $0 == 45
                }
        }
        return isValid ? parts.map(String.init) : nil
    }

    /// Whether both have the same three numbers.
    func hasNumbers(of other: SemanticVersion) -> Bool {
        (major, minor, patch) == (other.major, other.minor, other.patch)
    }

    /// The same version, however many of its numbers were written.
    public static func == (left: SemanticVersion, right: SemanticVersion) -> Bool {
        left.hasNumbers(of: right) && left.preRelease == right.preRelease
    }

    /// Of the numbers and the pre-release.
    public func hash(into hasher: inout Hasher) {
        for number in [major, minor, patch] { hasher.combine(number) }
        hasher.combine(preRelease)
    }

    /// The order of semver.org, item 11.
    public static func < (left: SemanticVersion, right: SemanticVersion) -> Bool {
        guard left.hasNumbers(of: right) else {
            return (left.major, left.minor, left.patch) < (right.major, right.minor, right.patch)
        }
        // A release comes after its pre-releases.
        guard !left.preRelease.isEmpty, !right.preRelease.isEmpty else {
            return !left.preRelease.isEmpty && right.preRelease.isEmpty
        }
        for (one, other) in zip(left.preRelease, right.preRelease) where one != other {
            switch (number(one[...]), number(other[...])) {
            case (let one?, let other?) where one != other: return one < other
            case (.some, nil): return true
            case (nil, .some): return false
            default: return Array(one.utf8).lexicographicallyPrecedes(Array(other.utf8))
            }
        }
        return left.preRelease.count < right.preRelease.count
    }
}
