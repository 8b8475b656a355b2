internal import FoundationEssentials
internal import Glibc
public import VoltCore
internal import VoltSystem

/// What a name stands for.
public enum TagKind: String, Sendable, Codable {
    case blob
    case tree
}

/// A name of a blob; what it names, and what that needs, is kept by `gc`.
public struct Tag: Sendable, Equatable, Codable {
    /// Such as `images/debian:12`.
    public let name: String
    /// What the blob is: of a tree its files are kept too.
    public let kind: TagKind
    /// The blob.
    public let digest: Digest
    /// When the name was given.
    public let created: Timestamp
}

/// The file of a tag.
struct TagFile: Codable {
    var kind: TagKind
    var digest: Digest
    var created: Timestamp
}

extension ContentStore {
    /// The longest name of a tag, in bytes.
    static let longestTag = 200

    /// Gives a blob a name; one that had it before loses it.
    ///
    /// - Parameter replacing: false refuses a name that something else has.
    /// - Throws: `VoltError`; `notFound` when the blob is not in the store, `conflict` for a name that is taken.
    public func setTag(_ name: String, to digest: Digest, kind: TagKind, replacing: Bool = true) throws {
        try requireWritable()
        try Self.checkTag(name)
        guard !Self.isTemporary(Self.encoded(name)) else { throw Self.noName(name) }
        // Nothing is taken out between the look and the name.
        let share = try FileLock.share(layout.sweepLock)
        guard try has(digest) else { throw Self.missing(BinaryDigest(digest)) }
        let file = TagFile(kind: kind, digest: digest, created: SystemClock().now())
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        let bytes = try encoder.encode(file) + [10]
        if replacing {
            try Files.replace(tagPath(name), with: bytes, mode: 0o600)
        } else if try !Files.create(tagPath(name), with: bytes, mode: 0o600) {
            // One that is set once more as it is has what it wants.
            guard let old = try tag(name), old.digest == digest, old.kind == kind else {
                throw VoltError(
                    .conflict, "tag '\(name)' is there and names something else",
                    hint: "this store is served with --append-only: give it another name")
            }
        }
        share.keep()
    }

    /// Takes a name away.
    ///
    /// - Throws: `VoltError`; `notFound` when there is no such tag.
    public func removeTag(_ name: String) throws {
        try requireWritable()
        try Self.checkTag(name)
        let path = tagPath(name)
        guard Files.exists(path) else { throw Self.noTag(name) }
        try Files.remove(path)
        try Files.syncDirectory(layout.tags)
    }

    /// A tag, or nil.
    public func tag(_ name: String) throws -> Tag? {
        try Self.checkTag(name)
        return try readTag(Self.encoded(name))
    }

    /// All tags by name.
    public func tags() throws -> [Tag] {
        try Files.list(layout.tags).filter { !Self.isTemporary($0) }.compactMap { try readTag($0) }
            .sorted { $0.name < $1.name }
    }

    static func noTag(_ name: String) -> VoltError {
        VoltError(.notFound, "there is no tag '\(name)'", hint: "list them with 'volt cas tags'")
    }

    private func readTag(_ file: String) throws -> Tag? {
        let path = "\(layout.tags)/\(file)"
        guard let name = Self.decoded(file) else {
            throw VoltError(.failed, "'\(path)' is not the file of a tag", hint: "move it out of the store")
        }
        guard Files.exists(path) else { return nil }
        let bytes = try Files.read(path, limit: 4096)
        guard let value = try? JSONDecoder().decode(TagFile.self, from: Data(bytes)) else {
            throw VoltError(
                .failed, "the file of tag '\(name)', '\(path)', is damaged",
                hint: "set the tag again with 'volt cas tag', or remove the file")
        }
        return Tag(name: name, kind: value.kind, digest: value.digest, created: value.created)
    }

    private func tagPath(_ name: String) -> String { "\(layout.tags)/\(Self.encoded(name))" }

    /// Letters of any language, digits and `-_.:/@+`, such as `images/debian:12`.
    static func checkTag(_ name: String) throws(VoltError) {
        let isPlain = name.utf8.allSatisfy { byte in
            (48...57).contains(byte) || (65...90).contains(byte) || (97...122).contains(byte)
                || "-_.:/@+".utf8.contains(byte)
        }
        let parts = name.split(separator: "/", omittingEmptySubsequences: false)
        guard isPlain, name.utf8.count <= longestTag,
            parts.allSatisfy({ !$0.isEmpty && $0 != "." && $0 != ".." }),
            !name.hasPrefix("-"), !name.hasPrefix("sha256:")
        else { throw noName(name) }
    }

    private static func noName(_ name: String) -> VoltError {
        VoltError(
            .usage, "'\(name)' is not the name of a tag",
            hint: "write letters, digits and -_.:/@+, such as images/debian:12")
    }

    /// Whether a file among the tags is one that is being written, `NAME.N.N.tmp` of `Files.replace`. What ends otherwise
    /// in `.tmp` is a tag as any other.
    private static func isTemporary(_ file: String) -> Bool {
        let parts = file.split(separator: ".", omittingEmptySubsequences: false).suffix(3)
        return parts.count == 3 && file.utf8.count > parts.reduce(3) { $0 + $1.utf8.count }
            && parts.last == "tmp"
            && parts.dropLast().allSatisfy { !$0.isEmpty && $0.utf8.allSatisfy { (48...57).contains($0) } }
    }

    /// The name as that of a file: the slash becomes a comma, which no name has.
    private static func encoded(_ name: String) -> String {
        String(name.map { $0 == "/" ? "," : $0 })
    }

    private static func decoded(_ file: String) -> String? {
        let name = String(file.map { $0 == "," ? "/" : $0 })
        do throws(VoltError) { try checkTag(name) } catch { return nil }
        return name
    }
}
