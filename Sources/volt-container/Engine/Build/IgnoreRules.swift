internal import VoltArchive
internal import VoltCore
internal import VoltSystem

/// Which files of a context are not sent to COPY: `.voltignore`, or else `.dockerignore`, with Docker's rules.
struct IgnoreRules {
    private struct Rule {
        let parts: [[UInt8]]
        let keeps: Bool
    }

    private var rules: [Rule] = []

    /// Reads the rules of a context; there are none without a file.
    static func read(context: String) throws(VoltError) -> IgnoreRules {
        for name in [".voltignore", ".dockerignore"] where Files.exists("\(context)/\(name)") {
            let text = String(decoding: try Files.read(beneath: context, name, limit: 1 << 20), as: UTF8.self)
            return IgnoreRules(text: text)
        }
        return IgnoreRules(text: "")
    }

    init(text: String) {
        for line in text.split(whereSeparator: \.isNewline) {
            var pattern = String(line).trimming()
            if pattern.isEmpty || pattern.hasPrefix("#") { continue }
            let keeps = pattern.hasPrefix("!")
            if keeps { pattern = String(pattern.dropFirst()).trimming() }
            var parts: [[UInt8]] = []
            for part in pattern.split(separator: "/") where part != "." {
                if part == ".." { _ = parts.popLast() } else { parts.append(Array(part.utf8)) }
            }
            if !parts.isEmpty { rules.append(Rule(parts: parts, keeps: keeps)) }
        }
    }

    /// Whether a path is left out; the last rule that matches it or a directory above it decides.
    func excludes(_ path: TreePath) -> Bool {
        var excluded = false
        for rule in rules where rule.keeps == excluded {
            if (1...max(1, path.names.count)).contains(where: {
                Glob.matches(rule.parts, Array(path.names.prefix($0)))
            }) {
                excluded = !rule.keeps
            }
        }
        return excluded
    }

    /// Whether something below a directory that is left out may be kept.
    var hasExceptions: Bool { rules.contains(where: \.keeps) }
}

/// Patterns for paths: `*`, `?` and `[a-z]` in a name, `**` for any number of directories.
enum Glob {
    static func matches(_ pattern: [[UInt8]], _ path: [[UInt8]]) -> Bool {
        // One row of the table at a time: linear in the path for each part of the pattern, whatever they are.
        var reachable = [true] + [Bool](repeating: false, count: path.count)
        for part in pattern {
            var next = [Bool](repeating: false, count: path.count + 1)
            if part == Array("**".utf8) {
                var seen = false
                for index in 0...path.count {
                    seen = seen || reachable[index]
                    next[index] = seen
                }
            } else {
                for index in path.indices where reachable[index] {
                    next[index + 1] = matchesName(part, path[index])
                }
            }
            reachable = next
        }
        return reachable[path.count]
    }

    static func isPattern(_ name: [UInt8]) -> Bool { name.contains { Array("*?[".utf8).contains($0) } }

    static func matchesName(_ pattern: [UInt8], _ name: [UInt8]) -> Bool {
        var position = 0
        var index = 0
        var star: (position: Int, index: Int)?
        while index < name.count {
            if position < pattern.count, pattern[position] == UInt8(ascii: "*") {
                star = (position, index)
                position += 1
            } else if position < pattern.count, let used = matchOne(pattern, position, name[index]) {
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

    /// The position after the part of the pattern that matches one byte, or nil.
    private static func matchOne(_ pattern: [UInt8], _ start: Int, _ byte: UInt8) -> Int? {
        switch pattern[start] {
        case UInt8(ascii: "?"): return start + 1
        case UInt8(ascii: "\\") where start + 1 < pattern.count:
            return pattern[start + 1] == byte ? start + 2 : nil
        case UInt8(ascii: "["):
            guard let end = pattern[(start + 1)...].firstIndex(of: UInt8(ascii: "]")), end > start + 1 else {
                break
            }
            var set = pattern[(start + 1)..<end]
            let inverted = set.first == UInt8(ascii: "^") || set.first == UInt8(ascii: "!")
            if inverted { set = set.dropFirst() }
            var found = false
            var at = set.startIndex
            while at < set.endIndex {
                if at + 2 < set.endIndex, set[at + 1] == UInt8(ascii: "-") {
                    found = found || (set[at] <= byte && byte <= set[at + 2])
                    at += 3
                } else {
                    found = found || set[at] == byte
                    at += 1
                }
            }
            return found != inverted ? end + 1 : nil
        default: break
        }
        return pattern[start] == byte ? start + 1 : nil
    }
}
