internal import Glibc
internal import VoltArchive
internal import VoltCore
internal import VoltSystem

/// A COPY or ADD step, worked out: which files go where.
struct CopyPlan {
    private struct Item {
        let source: TreePath
        let isDirectory: Bool
        let isArchive: Bool
        /// The directory that the content goes into, or the path of the file.
        let destination: TreePath
    }

    private let step: Voltfile.Step
    private let state: BuildState
    private let ignore: IgnoreRules
    private let store: ImageStore
    private let view: MergedView
    private let items: [Item]
    private let owner: (user: UInt32, group: UInt32)
    private let mode: UInt32?

    init(
        _ copy: Voltfile.Copy, step: Voltfile.Step, state: BuildState, ignore: IgnoreRules, store: ImageStore
    ) throws(VoltError) {
        self.step = step
        self.state = state
        self.ignore = ignore
        self.store = store
        mode = copy.mode
        view = try store.view(state.layers)
        owner = try Self.owner(
            try copy.owner.map { owner throws(VoltError) in try state.expand(owner, step) }, view, state, step
        )
        items = try Self.items(copy, step, state, ignore, view)
    }

    /// The name of the layer: that of everything it is made from.
    func layer() throws(VoltError) -> Digest {
        let copy = try TreeCopy(source: state.request.context, writer: nil, options: options)
        try add(to: copy)
        return state.key("copy", [copy.finish().hex])
    }

    /// Makes the layer.
    func write(as layer: Digest) throws(VoltError) {
        let directory = try store.makeTemporary()
        do throws(VoltError) {
            let writer = try TreeWriter(root: directory)
            writer.attributesOfMissingDirectory = { view.attributes(of: $0) }
            var bytes: UInt64 = 0
            for item in items where item.isArchive { bytes += try unpack(item, writer, below: directory) }
            let copy = try TreeCopy(source: state.request.context, writer: writer, options: options)
            try add(to: copy)
            try copy.finishWriting()
            guard state.key("copy", [copy.finish().hex]) == layer else {
                throw failure("the files changed while they were copied", hint: "run the command again")
            }
            try store.adopt(
                directory, as: layer,
                information: LayerInformation(
                    size: bytes + copy.bytes, skipped: copy.skipped, created: store.clock.now()))
        } catch {
            try? Files.removeTree(directory)
            throw error
        }
    }

    private var options: TreeCopyOptions {
        var options = TreeCopyOptions()
        options.owner = owner
        options.mode = mode
        options.excludes = { ignore.excludes($0) }
        options.descends = { _ in ignore.hasExceptions }
        options.willWriteDirectory = { path throws(VoltError) in
            // A directory in place of the image's link, such as /bin, would hide everything behind the link.
            if let entry = try view.find(path.names), entry.information.st_mode & S_IFMT == S_IFLNK {
                throw failure(
                    "'/\(path.text)' is a link in the image and a directory in the source",
                    hint: "copy to the directory that the link points to")
            }
        }
        return options
    }

    private func add(to copy: TreeCopy) throws(VoltError) {
        for item in items {
            if item.isArchive {
                // Hashed as a file; what is written is its content.
                copy.mark(
                    "unpack \(item.destination.text) \(try TreeDigest.of(item.source, beneath: state.request.context))"
                )
            } else if item.isDirectory {
                copy.mark("contents of a directory")
                try copy.addContents(of: item.source, to: item.destination)
            } else {
                try copy.add(item.source, as: item.destination)
            }
        }
    }

    private func unpack(_ item: Item, _ writer: TreeWriter, below directory: String) throws(VoltError)
        -> UInt64
    {
        if !item.destination.names.isEmpty {
            try writer.directory(item.destination, view.attributes(of: item.destination))
        }
        let descriptor = try Tar.open(item.source, beneath: state.request.context)
        defer { close(descriptor) }
        return try Tar.unpack(
            descriptor: descriptor, name: item.source.text, into: "\(directory)/\(item.destination.text)"
        ).bytes
    }

    // MARK: - Working out

    private static func items(
        _ copy: Voltfile.Copy, _ step: Voltfile.Step, _ state: BuildState, _ ignore: IgnoreRules,
        _ view: MergedView
    ) throws(VoltError) -> [Item] {
        let context = try TreeCopy(source: state.request.context, writer: nil)
        var sources: [(path: TreePath, isDirectory: Bool)] = []
        for text in copy.sources {
            let pattern = try path(try state.expand(text, step), step, state)
            let matches = try matches(pattern, context, ignore)
            guard !matches.isEmpty else {
                let isIgnored = !pattern.names.isEmpty && ignore.excludes(pattern)
                throw Self.failure(
                    state, step,
                    "'\(pattern.text)' is not in the context"
                        + (isIgnored ? ": an ignore rule leaves it out" : ""))
            }
            sources += matches
        }
        let written = try state.expand(copy.destination, step)
        let absolute = Files.absolute(written, from: state.workingDirectory)
        let place = try view.resolve(try TreePath(inRoot: absolute))
        let endsAsDirectory = written.hasSuffix("/") || written.hasSuffix("/.") || written == "."
        guard sources.count == 1 || endsAsDirectory || place.entry?.isDirectory ?? place.path.names.isEmpty
        else {
            throw Self.failure(
                state, step, "'\(written)' must end with '/' because there are several sources")
        }
        let isInto =
            endsAsDirectory || sources.count > 1 || place.path.names.isEmpty
            || place.entry?.isDirectory ?? false
        var items: [Item] = []
        for source in sources {
            var unpacks = false
            if copy.unpacks, !source.isDirectory {
                unpacks = try Tar.isArchive(source.path, beneath: state.request.context)
            }
            let destination =
                source.isDirectory || unpacks || !isInto
                ? place.path : place.path.appending(TreePath(lastOf: source.path))
            items.append(
                Item(
                    source: source.path, isDirectory: source.isDirectory, isArchive: unpacks,
                    destination: destination))
        }
        return items
    }

    private static func path(_ text: String, _ step: Voltfile.Step, _ state: BuildState) throws(VoltError)
        -> TreePath
    {
        do { return try TreePath(inRoot: text) } catch {
            throw failure(state, step, "'\(text)' leads out of the context")
        }
    }

    /// The paths of the context that a pattern matches, sorted, ignored ones left out.
    private static func matches(_ pattern: TreePath, _ context: TreeCopy, _ ignore: IgnoreRules)
        throws(VoltError)
        -> [(path: TreePath, isDirectory: Bool)]
    {
        var found: [TreePath] = [.root]
        for name in pattern.names {
            var next: [TreePath] = []
            for base in found {
                if Glob.isPattern(name) {
                    guard try context.isDirectory(base) ?? false else { continue }
                    next += try context.names(in: base).filter { Glob.matches(name, $0) }.map(
                        base.appending)
                } else {
                    next.append(base.appending(name))
                }
            }
            found = next
        }
        var existing: [(path: TreePath, isDirectory: Bool)] = []
        for path in found {
            guard let isDirectory = try context.isDirectory(path) else { continue }
            if !path.names.isEmpty, ignore.excludes(path), !(isDirectory && ignore.hasExceptions) { continue }
            existing.append((path, isDirectory))
        }
        return existing
    }

    private static func owner(_ text: String?, _ view: MergedView, _ state: BuildState, _ step: Voltfile.Step)
        throws(VoltError)
        -> (user: UInt32, group: UInt32)
    {
        guard let text else { return (0, 0) }
        let parts = text.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false).map(
            String.init)
        func parse(_ text: String) throws(VoltError) -> UInt32? {
            do throws(VoltError) { return try AccountNumber.parse(text) } catch {
                throw failure(state, step, error.message, hint: error.hint)
            }
        }
        func number(_ name: String, _ file: String) throws(VoltError) -> (id: UInt32, group: UInt32?) {
            if let id = try parse(name) { return (id, nil) }
            let bytes = try view.read(try TreePath(inRoot: file), limit: 1 << 20) ?? []
            for line in String(decoding: bytes, as: UTF8.self).split(separator: "\n") {
                let fields = line.split(separator: ":", omittingEmptySubsequences: false).map(String.init)
                if fields.count > 3, fields[0] == name, let id = try parse(fields[2]) {
                    return (id, file == "/etc/passwd" ? try parse(fields[3]) : nil)
                }
            }
            throw failure(state, step, "'\(name)' is not in '\(file)' of the image", hint: "write a number")
        }
        let user = try number(parts[0], "/etc/passwd")
        if parts.count == 2 { return (user.id, try number(parts[1], "/etc/group").id) }
        return (user.id, user.group ?? user.id)
    }

    private func failure(_ message: String, hint: String? = nil) -> VoltError {
        Self.failure(state, step, message, hint: hint)
    }

    private static func failure(
        _ state: BuildState, _ step: Voltfile.Step, _ message: String, hint: String? = nil
    ) -> VoltError {
        VoltError(.failed, "\(state.voltfile.file):\(step.line): \(message)", hint: hint)
    }
}
