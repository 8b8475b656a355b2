/// Patterns of names: `*` for any bytes of a name, and what `Signs` adds. A path is a list of names, in which `**` stands for
/// any number of them, none included.
///
/// The time is at most the product of both lengths, whatever the pattern.
public enum Glob {
    /// The special characters besides `*`.
    public struct Signs: OptionSet, Sendable {
        /// The bits.
        public let rawValue: Int

        /// - Parameter rawValue: the bits.
        public init(rawValue: Int) { self.rawValue = rawValue }

        /// `?` is one byte.
        public static let one = Signs(rawValue: 1)
        /// `[a-z]` is one byte of a set, `[^a-z]` and `[!a-z]` one of all others.
        public static let sets = Signs(rawValue: 2)
        /// A backslash takes the sign behind it for itself.
        public static let escapes = Signs(rawValue: 4)
        /// All of them, as in glob(7).
        public static let all: Signs = [.one, .sets, .escapes]
    }

    /// Whether a name has a sign in it that makes it a pattern.
    public static func isPattern(_ name: some Sequence<UInt8>) -> Bool {
        name.contains { $0 == UInt8(ascii: "*") || $0 == UInt8(ascii: "?") || $0 == UInt8(ascii: "[") }
    }

    /// Whether the pattern stands for the whole name.
    public static func matches(_ pattern: [UInt8], _ name: [UInt8], signs: Signs = .all) -> Bool {
        // Going back to the last star only is enough, since a star stands for anything.
        var position = 0
        var index = 0
        var star: (position: Int, index: Int)?
        while index < name.count {
            if position < pattern.count, pattern[position] == UInt8(ascii: "*") {
                star = (position, index)
                position += 1
            } else if position < pattern.count,
                let used = matchOne(pattern, position, name[index], signs)
            {
                position = used
                index += 1
            } else if let last = star {
                position = last.position + 1
                index = last.index + 1
                star = (last.position, index)
            } else {
                return false
            }
        }
        return pattern[position...].allSatisfy { $0 == UInt8(ascii: "*") }
    }

    /// Whether the patterns stand for the whole path, name by name.
    public static func matches(_ pattern: [[UInt8]], path: [[UInt8]], signs: Signs = .all) -> Bool {
        let anyNames = Array("**".utf8)
        // One row of the table at a time.
        var reachable = [true] + [Bool](repeating: false, count: path.count)
        for part in pattern {
            var next = [Bool](repeating: false, count: path.count + 1)
            if part == anyNames {
                var seen = false
                for index in 0...path.count {
                    seen = seen || reachable[index]
                    next[index] = seen
                }
            } else {
                for index in path.indices where reachable[index] {
                    next[index + 1] = matches(part, path[index], signs: signs)
                }
            }
            reachable = next
        }
        return reachable[path.count]
    }

    /// The position after the part of the pattern that matches one byte, or nil.
    private static func matchOne(_ pattern: [UInt8], _ start: Int, _ byte: UInt8, _ signs: Signs) -> Int? {
        switch pattern[start] {
        case UInt8(ascii: "?") where signs.contains(.one): return start + 1
        case UInt8(ascii: "\\") where signs.contains(.escapes) && start + 1 < pattern.count:
            return pattern[start + 1] == byte ? start + 2 : nil
        case UInt8(ascii: "[") where signs.contains(.sets):
            guard let end = pattern[(start + 1)...].firstIndex(of: UInt8(ascii: "]")), end > start + 1 else {
                break
            }
            var set = pattern[(start + 1)..<end]
            let isInverted = set.first == UInt8(ascii: "^") || set.first == UInt8(ascii: "!")
            if isInverted { set = set.dropFirst() }
            return contains(set, byte) != isInverted ? end + 1 : nil
        default: break
        }
        return pattern[start] == byte ? start + 1 : nil
    }

    private static func contains(_ set: ArraySlice<UInt8>, _ byte: UInt8) -> Bool {
        var at = set.startIndex
        while at < set.endIndex {
            if at + 2 < set.endIndex, set[at + 1] == UInt8(ascii: "-") {
                if set[at] <= byte, byte <= set[at + 2] { return true }
                at += 3
            } else {
                if set[at] == byte { return true }
                at += 1
            }
        }
        return false
    }
}
