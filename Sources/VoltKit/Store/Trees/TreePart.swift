public import VoltCore

/// A tree, or what is at a path in one: `TREE:PATH`, as in git.
public struct TreePart: Sendable {
    /// The whole tree.
    public let tree: Digest
    /// From the root; empty for all.
    public let path: [UInt8]

    /// - Parameters: see the properties.
    public init(_ tree: Digest, path: [UInt8] = []) {
        self.tree = tree
        self.path = path
    }
}

/// The events of a tree, or of a part of one as if it were a tree of its own: a directory is the root then, and a file is
/// the one name in a root.
///
/// A second name of a file whose first name is elsewhere in the tree is that file here.
final class TreeSelection {
    private let path: [UInt8]
    /// Files with names in the part and their first name outside of it.
    private var outside: [[UInt8]: TreeEntry?] = [:]
    /// Their first names in the part.
    private var firstNames: [[UInt8]: [UInt8]] = [:]
    /// Whether the part is something else than a directory.
    private(set) var isFile = false
    private var current: [UInt8] = []
    private var lengths: [Int] = []
    private var isFirst = true
    private var depth = 0

    /// - Throws: `VoltError`; `notFound` when there is nothing at the path.
    init(_ store: ContentStore, _ part: TreePart) throws {
        path = part.path
        guard !path.isEmpty else { return }
        var found: TreeEntry?
        var names: [[UInt8]] = []
        try store.eachEntry(of: part.tree) { place, entry in
            if place == path { found = entry }
            guard Self.isWithin(place, path), case .hardLink(let first) = entry.kind else { return }
            if !Self.isWithin(first, path) { names.append(first) }
        }
        guard let found else {
            throw VoltError(
                .notFound, "there is no '\(String(shown: path))' in tree '\(part.tree.short)'",
                hint: "list it with 'volt cas ls \(part.tree)'")
        }
        isFile = !found.isDirectory
        for name in names { outside[name] = .some(nil) }
        guard !names.isEmpty else { return }
        try store.eachEntry(of: part.tree) { place, entry in
            if outside[place] != nil { outside[place] = .some(entry) }
        }
    }

    static func isWithin(_ path: [UInt8], _ directory: [UInt8]) -> Bool {
        directory.isEmpty
            || (path.starts(with: directory)
                && (path.count == directory.count || path[directory.count] == UInt8(ascii: "/")))
    }

    /// Gives what an event of the whole tree is in the part.
    func each(_ event: TreeDecoder.Event, _ body: (TreeDecoder.Event) throws -> Void) throws {
        guard !path.isEmpty else { return try body(event) }
        guard case .entry(let entry) = event else {
            let isInside = Self.isWithin(current, path)
            if let length = lengths.popLast() { current.removeLast(current.count - length) }
            if isInside { try body(.up) }
            return
        }
        let length = current.count
        if !isFirst {
            if length > 0 { current.append(UInt8(ascii: "/")) }
            current.append(contentsOf: entry.name)
        }
        isFirst = false
        defer {
            if entry.isDirectory {
                lengths.append(length)
            } else {
                current.removeLast(current.count - length)
            }
        }
        guard Self.isWithin(current, path) else { return }
        var shown = entry
        if current == path {
            if entry.isDirectory {
                shown.name = []
            } else {
                try body(.entry(TreeEntry(name: [], kind: .directory, mode: 0o755)))
            }
        }
        if case .hardLink(let first) = entry.kind { shown = try resolved(first, entry.name) }
        try body(.entry(shown))
        if current == path, !entry.isDirectory { try body(.up) }
    }

    /// A second name, seen from the part.
    private func resolved(_ first: [UInt8], _ name: [UInt8]) throws -> TreeEntry {
        let start = isFile ? path.count - name.count : path.count + 1
        if Self.isWithin(first, path) {
            return TreeEntry(name: name, kind: .hardLink(Array(first.dropFirst(start))))
        }
        if let known = firstNames[first] { return TreeEntry(name: name, kind: .hardLink(known)) }
        guard case .some(.some(var file)) = outside[first] else {
            throw VoltError(.failed, "the tree is damaged: '\(String(shown: first))' is not there")
        }
        firstNames[first] = Array(current.dropFirst(start))
        file.name = name
        return file
    }
}

extension TreeWalk {
    /// The same for a part of a tree.
    static func each(
        _ part: TreePart, in store: ContentStore, _ reader: BlobReader,
        _ body: (TreeDecoder.Event) throws -> Void
    ) throws {
        let selection = try TreeSelection(store, part)
        try each(BinaryDigest(part.tree), in: reader) { try selection.each($0, body) }
    }
}
