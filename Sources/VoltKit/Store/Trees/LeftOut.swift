internal import Glibc
public import VoltCore
internal import VoltSystem

/// What of a directory is not in its tree.
public struct LeftOut: Sendable, Codable, Equatable {
    /// From the root, as `String(shown:)` gives it.
    public let path: String
    /// Why.
    public let reason: String
    /// Whether the tree has the name, and lacks only its extended attributes.
    public let attributesOnly: Bool
}

/// The names that an ingest leaves out, or refuses to leave out.
final class LeftOutNames {
    private static let most = 1000
    private let isStrict: Bool
    private var found: [LeftOut] = []
    private(set) var count = 0

    init(isStrict: Bool) { self.isStrict = isStrict }

    /// In an order that does not depend on who was faster.
    var names: [LeftOut] { found.sorted { $0.path < $1.path } }

    /// - Throws: the error when nothing may be left out.
    func add(_ path: some Collection<UInt8>, _ error: VoltError, attributesOnly: Bool = false) throws {
        if isStrict { throw error }
        count += 1
        guard found.count < Self.most else { return }
        found.append(
            LeftOut(
                path: String(shown: Array(path)), reason: error.message, attributesOnly: attributesOnly))
    }
}

/// Something is wrong with a name of the directory, and not with the store or the host.
struct NameFailure: Error {
    let error: VoltError

    /// - Returns: the error alone when it is the host that lacks something.
    static func of(_ error: SystemError, _ words: VoltError) -> any Error {
        error.isShortage ? words : NameFailure(error: words)
    }
}

extension SystemError {
    /// Whether the host lacks something, whatever file it is about.
    var isShortage: Bool { [ENOSPC, EDQUOT, EMFILE, ENFILE, ENOMEM].contains(number) }
}

/// The mark of a tree that lacks names of its directory: an extended attribute of its root, which no reader writes to a
/// file. So it goes wherever the tree goes.
enum IncompleteMark {
    static let name = Array("volt.incomplete".utf8)
    /// The most bytes of names in it.
    static let longest = 60_000

    /// The names, one a line, as many as fit.
    static func value(_ names: [LeftOut]) -> [UInt8] {
        var value: [UInt8] = []
        for name in names {
            let line = Array(name.path.utf8) + [10]
            if value.count + line.count > longest { break }
            value += line
        }
        return value
    }

    static func names(_ root: TreeEntry) -> [String]? {
        guard let mark = root.extended.first(where: { $0.name == name }) else { return nil }
        return mark.value.split(separator: 10).map { String(decoding: $0, as: UTF8.self) }
    }
}

extension TreeEntry {
    /// Of the root of a tree that lacks names of its directory: the first of them, as `String(shown:)` gives them.
    public var leftOut: [String]? { name.isEmpty ? IncompleteMark.names(self) : nil }

    /// Of the root of such a tree: the bytes of its mark.
    public var incompleteMark: [UInt8]? {
        name.isEmpty ? extended.first { $0.name == IncompleteMark.name }?.value : nil
    }
}

extension ContentStore {
    /// The names that a tree lacks, the first of them, as `String(shown:)` gives them; nil when it is complete.
    public func leftOut(of tree: Digest) throws -> [String]? {
        try TreeStream(self, TreePart(tree)).head?.entry.leftOut
    }

    /// Writes a tree once more, with the mark at its root; call it when the tree can be read.
    func markIncomplete(
        _ tree: BinaryDigest, _ mark: [UInt8], _ session: WriteSession, _ representation: Representation
    ) throws -> BinaryDigest {
        let output = try TreeOutput(session, representation)
        var bytes = ByteWriter(capacity: 1 << 17)
        var scratch = ByteWriter(capacity: 1 << 12)
        TreeFormat.begin(&bytes)
        var isRoot = true
        try TreeWalk.each(tree, in: BlobReader(self)) { event in
            switch event {
            case .up: TreeFormat.end(&bytes)
            case .entry(var entry):
                if isRoot {
                    entry.extended.append(
                        .init(name: IncompleteMark.name, value: Array(mark.prefix(IncompleteMark.longest))))
                    entry.extended.sort { $0.name.lexicographicallyPrecedes($1.name) }
                    isRoot = false
                }
                try TreeFormat.write(entry, to: &bytes, scratch: &scratch)
            }
            guard bytes.count >= 1 << 16 else { return }
            try bytes.bytes.withUnsafeBytes { try output.write($0) }
            bytes.removeAll()
        }
        try bytes.bytes.withUnsafeBytes { try output.write($0) }
        return try output.finish()
    }
}
