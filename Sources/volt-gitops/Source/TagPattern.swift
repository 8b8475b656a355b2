public import VoltCore

/// The tags that a pipeline follows: a name, a glob such as `v1.*`, or a range of versions such as `^1.4`.
public struct TagPattern: Sendable, Equatable {
    private enum Rule: Equatable {
        case range(VersionRange)
        case glob(GlobPattern, namesPreReleases: Bool)
    }
    private let rule: Rule
    /// The pattern as it was written.
    public let text: String

    /// - Throws: `VoltError` with code `usage`.
    public init(_ text: String) throws(VoltError) {
        self.text = text
        if VersionRange.isRange(text) {
            rule = .range(try VersionRange(text))
        } else {
            let plain = String(text.map { $0 == "*" || $0 == "?" ? "x" : $0 })
            guard BranchName.isValid(plain) else {
                throw VoltError(
                    .usage, "'\(text)' is neither a pattern of tags nor a range of versions",
                    hint: "write 'v1.*', '^1.4' or '>=1.2 <2'")
            }
            let tail = text.split(separator: "/").last ?? ""
            let version = tail.drop { !$0.isNumber && $0 != "*" && $0 != "?" }
            let isPlain = !text.contains { $0 == "*" || $0 == "?" }
            rule = .glob(
                try GlobPattern(text), namesPreReleases: isPlain || version.contains("-"))
        }
    }

    /// Whether a tag is one of them.
    public func matches(_ tag: String) -> Bool {
        switch rule {
        case .range(let range): SemanticVersion.strict(tag).map(range.contains) ?? false
        case .glob(let glob, let namesPreReleases):
            glob.matches(tag.utf8)
                && (namesPreReleases || TagOrder(tag).version?.preRelease.isEmpty != false)
        }
    }

    /// The highest of some tags that match; nil when none does.
    public func highest(of tags: some Sequence<String>) -> String? {
        var best: (tag: String, order: TagOrder)?
        for tag in tags where matches(tag) {
            let order = TagOrder(tag)
            if let best, !(best.order < order) { continue }
            best = (tag, order)
        }
        return best?.tag
    }
}

/// The place of a tag among others. A tag whose last part is a version, such as `web/v1.4.2`, comes by that;
/// one that is none, such as `release-2026-11-23`, comes before those and by its numbers and letters.
public struct TagOrder: Sendable, Comparable {
    let version: SemanticVersion?
    private let chunks: [Chunk]

    private enum Chunk: Comparable {
        case letter(UInt8)
        /// Digits without zeros at their start.
        case digits([UInt8])

        static func < (left: Chunk, right: Chunk) -> Bool {
            switch (left, right) {
            case (.letter(let one), .letter(let other)): one < other
            case (.digits(let one), .digits(let other)):
                one.count == other.count ? one.lexicographicallyPrecedes(other) : one.count < other.count
            case (.letter, .digits): true
            case (.digits, .letter): false
            }
        }
    }

    /// The place of a tag.
    public init(_ tag: String) {
        let tail = tag.split(separator: "/").last ?? ""
        version = SemanticVersion(String(tail.drop { !("0"..."9").contains($0) }))
        var chunks: [Chunk] = []
        var rest = Array(tag.utf8)[...]
        func isDigit(_ byte: UInt8) -> Bool { (48...57).contains(byte) }
        while let first = rest.first {
            guard isDigit(first) else {
                chunks.append(.letter(first))
                rest.removeFirst()
                continue
            }
            let run = rest.prefix(while: isDigit)
            chunks.append(.digits(Array(run.drop { $0 == 48 })))
            rest = rest.dropFirst(run.count)
        }
        self.chunks = chunks
    }

    /// The lower one is the older one.
    public static func < (left: TagOrder, right: TagOrder) -> Bool {
        switch (left.version, right.version) {
        case (let one?, let other?) where one != other: return one < other
        case (.some, nil): return false
        case (nil, .some): return true
        default: break
        }
        if left.chunks == right.chunks { return false }
        for (one, other) in zip(left.chunks, right.chunks) where one != other { return one < other }
        return left.chunks.count < right.chunks.count
    }
}
