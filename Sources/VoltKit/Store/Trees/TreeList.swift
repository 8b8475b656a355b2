public import VoltCore

extension ContentStore {
    /// Gives the names of a tree with their paths from the root, in its order; the root is first, with an empty path.
    ///
    /// - Throws: `VoltError` when it is missing, damaged, or no tree.
    public func eachEntry(of tree: Digest, _ body: (_ path: [UInt8], TreeEntry) throws -> Void) throws {
        try eachEntry(of: TreePart(tree), body)
    }

    /// The same for a part of a tree, with paths from there; of a file there is only that, with its name.
    public func eachEntry(of part: TreePart, _ body: (_ path: [UInt8], TreeEntry) throws -> Void) throws {
        var path: [UInt8] = []
        var lengths: [Int] = []
        let selection = try TreeSelection(self, part)
        func each(_ event: TreeDecoder.Event) throws {
            guard case .entry(let entry) = event else {
                if let length = lengths.popLast() { path.removeLast(path.count - length) }
                return
            }
            let length = path.count
            if length > 0 { path.append(UInt8(ascii: "/")) }
            path.append(contentsOf: entry.name)
            if !selection.isFile || !entry.name.isEmpty { try body(path, entry) }
            if entry.isDirectory { lengths.append(length) } else { path.removeLast(path.count - length) }
        }
        try TreeWalk.each(BinaryDigest(part.tree), in: BlobReader(self)) { try selection.each($0, each) }
    }

    /// The same, but a second name of a file has the attributes of the first one, for archives: whoever unpacks one gives the
    /// file the attributes of the name that comes last.
    public func eachWholeEntry(of tree: Digest, _ body: (_ path: [UInt8], TreeEntry) throws -> Void) throws {
        var files: [[UInt8]: TreeEntry?] = [:]
        try eachEntry(of: tree) { _, entry in
            if case .hardLink(let first) = entry.kind { files[first] = .some(nil) }
        }
        try eachEntry(of: tree) { path, entry in
            if files[path] != nil { files[path] = entry }
            guard case .hardLink(let first) = entry.kind, var whole = files[first] ?? nil else {
                return try body(path, entry)
            }
            whole.name = entry.name
            whole.kind = entry.kind
            try body(path, whole)
        }
    }

    /// The blob of a file in a tree.
    ///
    /// - Parameter path: from the root; a byte may be written `\xNN`, as in what `String(shown:)` gives.
    /// - Throws: `VoltError`; `notFound` when there is no such file.
    public func file(_ path: String, in tree: Digest) throws -> Digest {
        let wanted = Array(path.shownBytes.drop { $0 == UInt8(ascii: "/") })
        var found: TreeEntry?
        var target: [UInt8]?
        for _ in 0..<2 {
            let name = target ?? wanted
            try eachEntry(of: tree) { path, entry in if path == name { found = entry } }
            guard case .hardLink(let first) = found?.kind else { break }
            target = first
        }
        guard case .file(let size, let digest) = found?.kind else {
            throw VoltError(
                .notFound, "there is no file '\(path)' in tree '\(tree.short)'",
                hint: "list it with 'volt cas ls \(tree)'")
        }
        return size == 0
            ? try Digest("sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855")
            : digest.digest
    }
}

/// One name that differs between two trees.
public struct TreeChange: Sendable, Equatable {
    /// What differs.
    public enum Kind: String, Sendable, Codable {
        case added, removed
        /// Other bytes, another target or another kind.
        case content
        /// Only permissions, owner, time or attributes.
        case attributes
    }

    /// From the root.
    public let path: [UInt8]
    /// What differs.
    public let kind: Kind
}

extension ContentStore {
    /// Compares two trees, in little memory.
    ///
    /// - Parameter ignoresTimes: whether a different time alone is no change.
    public func difference(
        from old: TreePart, to new: TreePart, ignoresTimes: Bool = false, _ body: (TreeChange) throws -> Void
    ) throws {
        if old.tree == new.tree, old.path == new.path { return }
        let left = try TreeStream(self, old)
        let right = try TreeStream(self, new)
        while left.head != nil || right.head != nil {
            let order = TreeStream.order(left.head?.path, right.head?.path)
            if order < 0 {
                if let head = left.head { try body(TreeChange(path: head.path, kind: .removed)) }
                try left.advance()
            } else if order > 0 {
                if let head = right.head { try body(TreeChange(path: head.path, kind: .added)) }
                try right.advance()
            } else {
                if let head = left.head, var other = right.head?.entry {
                    if ignoresTimes {
                        other.seconds = head.entry.seconds
                        other.nanoseconds = head.entry.nanoseconds
                    }
                    if head.entry.kind != other.kind {
                        try body(TreeChange(path: head.path, kind: .content))
                    } else if head.entry != other {
                        try body(TreeChange(path: head.path, kind: .attributes))
                    }
                }
                try left.advance()
                try right.advance()
            }
        }
    }
}

/// A tree that is asked for one name after the other.
final class TreeStream {
    private let reader: BlobReader
    private let digest: BinaryDigest
    private let size: UInt64
    private var offset: UInt64 = 0
    private var decoder = TreeDecoder()
    private let selection: TreeSelection
    /// What comes next, the last one first.
    private var pending: [TreeDecoder.Event] = []
    private var path: [UInt8] = []
    private var lengths: [Int] = []
    private(set) var head: (path: [UInt8], entry: TreeEntry)?

    init(_ store: ContentStore, _ part: TreePart) throws {
        reader = BlobReader(store)
        selection = try TreeSelection(store, part)
        digest = BinaryDigest(part.tree)
        size = try store.size(of: part.tree)
        try advance()
    }

    func advance() throws {
        do {
            while true {
                if pending.isEmpty, let event = try decoder.next() {
                    try selection.each(event) { pending.insert($0, at: 0) }
                    continue
                }
                if let event = pending.popLast() {
                    guard case .entry(let entry) = event else {
                        if let length = lengths.popLast() { path.removeLast(path.count - length) }
                        continue
                    }
                    let length = path.count
                    if length > 0 { path.append(UInt8(ascii: "/")) }
                    path.append(contentsOf: entry.name)
                    head = (path, entry)
                    if entry.isDirectory {
                        lengths.append(length)
                    } else {
                        path.removeLast(path.count - length)
                    }
                    return
                }
                guard offset < size else { break }
                let end = min(size, offset + (1 << 18))
                try reader.read(digest, range: offset..<end) { part in
                    if case .bytes(let bytes) = part { decoder.feed(bytes) }
                }
                offset = end
            }
            guard decoder.isComplete else { throw FormatError("ends too early") }
            head = nil
        } catch let error as FormatError {
            throw VoltError(.failed, "'\(digest.digest)' \(error.reason)")
        }
    }

    /// -1 when the left comes first in a walk, 1 when the right does; nil comes last.
    static func order(_ left: [UInt8]?, _ right: [UInt8]?) -> Int {
        guard let left else { return right == nil ? 0 : 1 }
        guard let right else { return -1 }
        for (a, b) in zip(left, right) where a != b {
            if a == UInt8(ascii: "/") { return -1 }
            if b == UInt8(ascii: "/") { return 1 }
            return a < b ? -1 : 1
        }
        return left.count == right.count ? 0 : left.count < right.count ? -1 : 1
    }
}
