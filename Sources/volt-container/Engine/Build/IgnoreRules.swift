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
                Glob.matches(rule.parts, path: Array(path.names.prefix($0)))
            }) {
                excluded = !rule.keeps
            }
        }
        return excluded
    }

    /// Whether something below a directory that is left out may be kept.
    var hasExceptions: Bool { rules.contains(where: \.keeps) }
}
