/// A pattern of names whose parts are joined by slashes: `*` within a part stands for any letters of it, `**` as a part
/// for any number of parts, none included.
public struct NamePattern: Sendable, Hashable {
    /// The longest pattern, in bytes.
    public static let longest = 512

    /// The pattern as it was written.
    public let text: String
    private let parts: [[UInt8]]
    private static let anyParts: [UInt8] = [42, 42]

    /// - Parameter isLetter: what a part may be made of besides `*`.
    /// - Returns: nil for what is no pattern.
    public init?(_ text: String, isLetter: (UInt8) -> Bool) {
        let parts = text.utf8.split(separator: 47, omittingEmptySubsequences: false).map(Array.init)
        let isPart = { (part: [UInt8]) in
            !part.isEmpty
                && (part == Self.anyParts || !part.starts(with: Self.anyParts))
                && part.allSatisfy { $0 == 42 || isLetter($0) }
        }
        guard text.utf8.count <= Self.longest, parts.allSatisfy(isPart) else { return nil }
        self.text = text
        self.parts = parts
    }

    /// Whether the pattern stands for the name. The time is at most the product of both lengths.
    public func matches(_ name: String) -> Bool {
        let names = name.utf8.split(separator: 47, omittingEmptySubsequences: false).map(Array.init)
        return Self.glob(parts, names, isAny: { $0 == Self.anyParts }) { part, name in
            Self.glob(part, name, isAny: { $0 == 42 }, matches: ==)
        }
    }

    /// Matches by going back to the last wildcard only, which is enough when a wildcard stands for anything.
    private static func glob<Element>(
        _ pattern: [Element], _ items: [Element], isAny: (Element) -> Bool,
        matches: (Element, Element) -> Bool
    ) -> Bool {
        var place = 0
        var item = 0
        var wildcard: (place: Int, item: Int)?
        while item < items.count {
            if place < pattern.count, isAny(pattern[place]) {
                wildcard = (place, item)
                place += 1
            } else if place < pattern.count, matches(pattern[place], items[item]) {
                place += 1
                item += 1
            } else if let last = wildcard {
                wildcard = (last.place, last.item + 1)
                place = last.place + 1
                item = last.item + 1
            } else {
                return false
            }
        }
        return pattern[place...].allSatisfy(isAny)
    }
}
