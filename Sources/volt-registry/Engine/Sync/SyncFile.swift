internal import Glibc
public import VoltCore
public import VoltOCI
internal import VoltSystem
internal import VoltYAML

/// What is to be the same at two places, as a file says it:
///
///     version: 1
///     sync:
///       - from: docker.io/library/alpine
///         to: localhost:5000/hub/alpine
///         tags: ["3.*", latest]
public struct SyncFile: Sendable {
    /// Where repositories are: in a registry, or in a directory as layouts.
    public enum Place: Sendable, Hashable {
        /// The host as references have it, and what the names begin with; empty for nothing.
        case registry(String, prefix: String)
        /// A directory.
        case layouts(String)
    }

    /// Some repositories, or one.
    public struct Entry: Sendable {
        /// Where from.
        public var from: Place
        /// Where to.
        public var to: Place
        /// Whether it is every repository below `from`.
        public var isTree: Bool
        /// Patterns of tags with `*`, `?` and `[]`; empty for all.
        public var tags: [String]
        /// So many of them, the highest versions; nil for all.
        public var newest: Int?
        /// Of indexes only the image for it.
        public var platform: OCIPlatform?
        /// Also what is about the images, such as signatures.
        public var referrers: Bool
    }

    /// In the order of the file.
    public var entries: [Entry]

    /// The file with these bytes.
    ///
    /// - Parameters:
    ///   - bytes: any bytes are safe.
    ///   - path: directories are seen from its folder, and errors name it.
    /// - Throws: `VoltError` with code `usage`, and file, line and column.
    public static func read(_ bytes: [UInt8], path: String) throws(VoltError) -> SyncFile {
        do throws(VoltError) {
            return try Reader(folder: Files.parent(of: path)).file(try YAML.parse(bytes, file: path))
        } catch {
            throw VoltError(.usage, error.message, hint: error.hint)
        }
    }

    private struct Reader {
        let folder: String

        func file(_ root: YAMLNode) throws(VoltError) -> SyncFile {
            let fields = try root.fields(["version", "sync"])
            guard let version = fields["version"] else {
                throw root.failure("'version' is missing", hint: "write version: 1")
            }
            guard try version.integer() == 1 else {
                throw version.failure(
                    "version \(try version.integer()) is not known", hint: "write version: 1")
            }
            guard let list = fields["sync"] else { throw root.failure("'sync' is missing") }
            var entries: [Entry] = []
            for item in try list.items() { entries.append(try entry(item)) }
            guard !entries.isEmpty else { throw list.failure("'sync' names nothing") }
            return SyncFile(entries: entries)
        }

        private func entry(_ node: YAMLNode) throws(VoltError) -> Entry {
            let fields = try node.fields(["from", "to", "tags", "newest", "platform", "referrers"])
            guard let from = fields["from"] else { throw node.failure("'from' is missing") }
            guard let to = fields["to"] else { throw node.failure("'to' is missing") }
            var text = try from.string()
            let isTree = text.hasSuffix("/**")
            if isTree { text.removeLast(3) }
            var entry = Entry(
                from: try place(text, from, isTree: isTree),
                to: try place(try to.string(), to, isTree: isTree),
                isTree: isTree, tags: [], referrers: try fields["referrers"]?.boolean() ?? false)
            guard entry.from != entry.to else { throw to.failure("'to' is the same place as 'from'") }
            for item in try fields["tags"]?.items() ?? [] {
                let pattern = try item.string()
                guard !pattern.isEmpty, pattern.utf8.count <= 256 else {
                    throw item.failure("a pattern of tags has 1 to 256 bytes")
                }
                entry.tags.append(pattern)
            }
            if let newest = fields["newest"] {
                let count = try newest.integer()
                guard (1...10_000).contains(count) else {
                    throw newest.failure("'newest' is from 1 to 10000")
                }
                entry.newest = count
            }
            entry.platform = try fields["platform"]?.parsed { text throws(VoltError) in try OCIPlatform(text)
            }
            return entry
        }

        private func place(_ text: String, _ node: YAMLNode, isTree: Bool) throws(VoltError) -> Place {
            if text.hasPrefix("oci:") {
                guard text.utf8.count > 4 else { throw node.failure("'oci:' lacks a directory") }
                return .layouts(Files.absolute(String(text.dropFirst(4)), from: folder))
            }
            let parts = text.split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false)
            guard let host = OCIReference.host(parts[0]) else {
                throw node.failure(
                    "'\(text.prefix(100))' is no repository with its registry",
                    hint: "write HOST/REPOSITORY, HOST/PREFIX/**, or oci:DIRECTORY")
            }
            if parts.count == 1, isTree { return .registry(host, prefix: "") }
            let rest = parts.count > 1 ? parts[1] : ""
            // Docker's clients leave that part out, and its registry does not.
            let isShort = host == OCIReference.dockerHub && !isTree && !rest.contains("/")
            let name = try node.parsed { _ throws(VoltError) in
                try OCIRepositoryName(isShort ? "library/\(rest)" : String(rest))
            }
            return .registry(host, prefix: name.description)
        }
    }
}

extension SyncFile.Entry {
    /// The tags that are wanted of those that there are.
    public func select(_ there: [String]) -> [String] {
        let matching = there.filter { tag in
            tags.isEmpty || tags.contains { fnmatch($0, tag, 0) == 0 }
        }
        guard let newest else { return matching }
        let versions = matching.compactMap { tag in TagVersion(tag).map { ($0, tag) } }
        return versions.sorted { $0.0 > $1.0 }.prefix(newest).map(\.1)
    }
}

/// A tag as a version: numbers with dots between them, perhaps with a `v` before and something behind.
struct TagVersion: Comparable {
    private let numbers: [UInt64]
    private let rest: String

    /// Nil for what is none, such as `latest`.
    init?(_ tag: String) {
        var text = tag[...]
        if text.first == "v" { text = text.dropFirst() }
        var numbers: [UInt64] = []
        while let number = UInt64(text.prefix { $0.isASCII && $0.isNumber }.prefix(19)) {
            numbers.append(number)
            text = text.drop { $0.isASCII && $0.isNumber }
            guard text.first == ".", text.dropFirst().first?.isNumber ?? false else { break }
            text = text.dropFirst()
        }
        guard !numbers.isEmpty else { return nil }
        self.numbers = numbers
        rest = String(text)
    }

    /// By number; what has something behind it, such as `-rc1`, stands before what has not.
    static func < (left: Self, right: Self) -> Bool {
        let count = max(left.numbers.count, right.numbers.count)
        for index in 0..<count {
            let (a, b) = (
                index < left.numbers.count ? left.numbers[index] : 0,
                index < right.numbers.count ? right.numbers[index] : 0
            )
            if a != b { return a < b }
        }
        if left.rest.isEmpty != right.rest.isEmpty { return !left.rest.isEmpty }
        if left.rest != right.rest { return left.rest < right.rest }
        return left.numbers.count < right.numbers.count
    }
}
