public import VoltCore

extension ContentStore {
    /// Puts layers together to the tree that overlayfs would show of them: whiteouts and opaque directories take away
    /// what lower layers have. Memory does not grow with the trees.
    ///
    /// A second name of a file becomes a file with the same content, since its first name may be of another layer then.
    ///
    /// - Parameter layers: the lowest first, with the marks of overlayfs.
    public func mergeTrees(_ layers: [Digest], representation: Representation, tag: String? = nil) throws
        -> Digest
    {
        let session = try WriteSession(self)
        defer { session.end() }
        let merge = try TreeMerge(self, session, layers.reversed().map { BinaryDigest($0) }, representation)
        let digest = try merge.run().digest
        try session.finish()
        try acknowledge(digest, representation, tag: tag)
        return digest
    }
}

/// Reads all layers at once, each in the order of its walk.
private final class TreeMerge {
    fileprivate final class Layer {
        let stream: TreeStream
        /// Files that have more names, by their first one.
        var linked: [[UInt8]: TreeEntry?] = [:]
        /// A path that upper layers hide, with all that is below it.
        var hidden: [UInt8]?

        init(_ store: ContentStore, _ tree: BinaryDigest) throws {
            stream = try TreeStream(store, TreePart(tree.digest))
            try TreeWalk.each(tree, in: BlobReader(store)) { event in
                if case .entry(let entry) = event, case .hardLink(let path) = entry.kind {
                    linked[path] = .some(nil)
                }
            }
        }
    }

    /// The topmost first.
    private let layers: [Layer]
    private let output: TreeOutput
    private var bytes = ByteWriter(capacity: 1 << 17)
    private var scratch = ByteWriter(capacity: 1 << 12)
    /// The paths of the directories that are open.
    private var open: [[UInt8]] = []

    init(
        _ store: ContentStore, _ session: WriteSession, _ layers: [BinaryDigest],
        _ representation: Representation
    ) throws {
        self.layers = try layers.map { try Layer(store, $0) }
        output = try TreeOutput(session, representation)
    }

    func run() throws -> BinaryDigest {
        TreeFormat.begin(&bytes)
        while let path = try nextPath() { try merge(path) }
        while open.popLast() != nil { TreeFormat.end(&bytes) }
        try flush()
        return try output.finish()
    }

    /// The path that comes next in any layer, what is hidden left out.
    private func nextPath() throws -> [UInt8]? {
        var least: [UInt8]?
        for layer in layers {
            while let hidden = layer.hidden, let path = layer.stream.head?.path {
                guard Self.isWithin(path, hidden) else {
                    if TreeStream.order(path, hidden) > 0 { layer.hidden = nil }
                    break
                }
                try layer.advance()
            }
            if TreeStream.order(layer.stream.head?.path, least) < 0 { least = layer.stream.head?.path }
        }
        return least
    }

    private func merge(_ path: [UInt8]) throws {
        var isHidden = false
        var shown: TreeEntry?
        for layer in layers where layer.stream.head?.path == path {
            guard let entry = layer.resolved() else {
                // A second name of nothing.
                try layer.advance()
                continue
            }
            if isHidden {
                // All that is below it too.
                layer.hidden = path
                continue
            }
            if entry.isWhiteout {
                isHidden = true
            } else if shown == nil {
                shown = entry
                isHidden = !entry.isDirectory
            } else if entry.isDirectory {
                // Its entries are shown, its attributes are those of the upper one.
            } else {
                isHidden = true
            }
            if entry.isOpaque { isHidden = true }
            try layer.advance()
        }
        // Lower layers that do not have the path itself may not have anything below it either.
        guard var entry = shown else { return }
        entry.extended.removeAll { $0.name.starts(with: "trusted.overlay.".utf8) }
        while let last = open.last, !last.isEmpty, !Self.isWithin(path, last) {
            open.removeLast()
            TreeFormat.end(&bytes)
        }
        do throws(FormatError) { try TreeFormat.write(entry, to: &bytes, scratch: &scratch) } catch {
            throw TreeScanner.refused(path, error.reason)
        }
        if entry.isDirectory { open.append(path) }
        if bytes.count >= 1 << 16 { try flush() }
    }

    private func flush() throws {
        try bytes.bytes.withUnsafeBytes { try output.write($0) }
        bytes.removeAll()
    }

    /// Whether a path is another or below it.
    private static func isWithin(_ path: [UInt8], _ directory: [UInt8]) -> Bool {
        directory.isEmpty
            || (path.starts(with: directory)
                && (path.count == directory.count || path[directory.count] == UInt8(ascii: "/")))
    }
}

extension TreeMerge.Layer {
    /// The entry at the head, with a second name as the file that it is.
    fileprivate func resolved() -> TreeEntry? {
        guard let head = stream.head else { return nil }
        guard case .hardLink(let target) = head.entry.kind else { return head.entry }
        guard case .some(.some(var entry)) = linked[target] else { return nil }
        entry.name = head.entry.name
        return entry
    }

    /// Goes on, and remembers what has more names.
    fileprivate func advance() throws {
        if let head = stream.head, linked[head.path] != nil { linked[head.path] = .some(head.entry) }
        try stream.advance()
    }
}

extension TreeEntry {
    fileprivate var isWhiteout: Bool { kind == .characterDevice(major: 0, minor: 0) }

    fileprivate var isOpaque: Bool {
        isDirectory
            && extended.contains {
                $0.name.elementsEqual("trusted.overlay.opaque".utf8) && $0.value == [UInt8(ascii: "y")]
            }
    }
}
