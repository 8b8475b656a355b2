internal import CVoltSystem
internal import Dispatch
internal import Glibc
public import VoltCore
internal import VoltSystem

extension ContentStore {
    /// Writes a tree to a directory, which is made when it is not there.
    ///
    /// - Throws: `VoltError`; `conflict` when the directory is not empty and may not be merged into, `notFound` or
    ///   `failed` for a blob that is missing or damaged.
    public func checkout(_ tree: Digest, to directory: String, options: CheckoutOptions = CheckoutOptions())
        throws -> CheckoutResult
    {
        try checkout(TreePart(tree), to: directory, options: options)
    }

    /// The same for a part of a tree; of a file only the file is written, into the directory.
    public func checkout(_ part: TreePart, to directory: String, options: CheckoutOptions = CheckoutOptions())
        throws -> CheckoutResult
    {
        let isFile = try TreeSelection(self, part).isFile
        guard !isFile || !options.deletes else {
            throw VoltError(
                .usage, "'\(String(shown: part.path))' is a file, and all others would be removed",
                hint: "leave --delete out")
        }
        let isMade = !Files.exists(directory)
        if Files.exists(directory) {
            guard Files.isDirectory(directory) else {
                throw VoltError(.conflict, "'\(directory)' is not a directory")
            }
            guard try options.merges || Files.list(directory).isEmpty else {
                throw VoltError(
                    .conflict, "'\(directory)' is not empty", hint: "name another directory, or add --merge")
            }
        } else {
            try Files.makeDirectory(directory, mode: 0o700)
        }
        let result = try Checkout(self, part, directory, options, keepsRoot: isFile).run()
        // Nothing says what the directory of the file is to be.
        if isFile, isMade { chmod(directory, 0o755) }
        return result
    }
}

/// A checkout of one tree. The first walk makes directories and links and hands files to the workers; the second,
/// when every file is there, makes the second names and gives directories their attributes, which every file in
/// them would change.
final class Checkout {
    struct Job: Sendable {
        var entry: TreeEntry
        /// From the root, with a zero at its end.
        var path: [UInt8]
    }

    private let store: ContentStore
    private let part: TreePart
    /// Whether the directory keeps the attributes that it has.
    private let keepsRoot: Bool
    private let directory: String
    private let options: CheckoutOptions
    private let root: StoreFile
    private let writer: CheckoutWriter
    private let failed = FirstFailure()
    private var path: [UInt8] = []
    private var lengths: [Int] = []
    /// The directories that are open; -1 for one on which something is mounted.
    private var descriptors: [Int32] = []
    private var mountPoints: Set<[UInt8]> = []
    private var entries = -1
    private var bytes: UInt64 = 0
    private var jobs: [Job] = []
    private var jobBytes: UInt64 = 0
    private var leftOut: [String]?

    init(
        _ store: ContentStore, _ part: TreePart, _ directory: String, _ options: CheckoutOptions,
        keepsRoot: Bool
    ) throws {
        self.store = store
        self.part = part
        self.keepsRoot = keepsRoot
        self.directory = directory
        self.options = options
        root = try StoreFile(reading: directory)
        writer = CheckoutWriter(store, root, options)
    }

    func run() throws -> CheckoutResult {
        let count = options.threads > 0 ? options.threads : max(1, Int(sysconf(Int32(_SC_NPROCESSORS_ONLN))))
        let slots = DispatchSemaphore(value: count * 4)
        let workers = Workers(count) { [store] in BlobReader(store) }
        var isFinished = false
        defer { if !isFinished { workers.finish() } }
        let reader = BlobReader(store)
        leftOut = try store.leftOut(of: part.tree)
        if let first = leftOut?.first, options.deletes {
            throw VoltError(
                .conflict, "the tree is incomplete, and '\(first)' that it lacks would be removed",
                hint: "leave --delete out")
        }
        try walk(reader) { entry, parent in
            try self.first(entry, parent) {
                let batch = self.jobs
                self.jobs = []
                self.jobBytes = 0
                slots.wait()
                workers.submit { [failed = self.failed, writer = self.writer] reader in
                    defer { slots.signal() }
                    for job in batch {
                        if failed.error != nil { return }
                        do { try writer.write(job, reader) } catch { failed.note(error) }
                    }
                }
            }
        } up: { descriptor, names in
            if self.options.deletes, descriptor >= 0 { try self.remove(allBut: names, in: descriptor) }
        }
        if !jobs.isEmpty {
            for job in jobs { try writer.write(job, reader) }
        }
        workers.finish()
        isFinished = true
        if let failure = failed.error { throw failure }
        try second(reader)
        let losses = writer.losses
        return CheckoutResult(
            entries: entries, bytes: bytes, notes: writer.notes, losses: losses.first,
            lossCount: losses.count, leftOut: leftOut)
    }

    // MARK: Walking

    /// Walks the tree with a descriptor of the directory that is open.
    private func walk(
        _ reader: BlobReader, _ body: (TreeEntry, Int32) throws -> Void,
        up: (Int32, [[UInt8]]) throws -> Void
    ) throws {
        path = []
        lengths = []
        entries = -1
        bytes = 0
        defer {
            for descriptor in descriptors.dropFirst() where descriptor >= 0 { close(descriptor) }
            descriptors = []
        }
        var names: [[[UInt8]]] = []
        try TreeWalk.each(part, in: store, reader) { event in
            guard case .entry(let entry) = event else {
                let descriptor = descriptors.removeLast()
                defer { if !descriptors.isEmpty, descriptor >= 0 { close(descriptor) } }
                try up(descriptor, names.popLast() ?? [])
                if let length = lengths.popLast() { path.removeLast(path.count - length) }
                return
            }
            entries += 1
            if descriptors.isEmpty {
                descriptors.append(root.descriptor)
                lengths.append(0)
                names.append([])
                return
            }
            let length = path.count
            if length > 0 { path.append(UInt8(ascii: "/")) }
            path.append(contentsOf: entry.name)
            if options.deletes { names[names.count - 1].append(entry.name) }
            let parent = descriptors[descriptors.count - 1]
            guard parent >= 0 else {
                throw VoltError(
                    .conflict,
                    "'\(shown)' would be written to what is mounted at '\(directory)/\(String(shown: path.prefix(length)))'",
                    hint: "unmount it first, or add --across-mounts")
            }
            try body(entry, parent)
            guard entry.isDirectory else {
                path.removeLast(path.count - length)
                return
            }
            descriptors.append(try open(entry.name, in: parent))
            lengths.append(length)
            names.append([])
        }
    }

    /// Opens a directory that was made or is there.
    ///
    /// - Returns: -1 when something is mounted on it, which is left as it is.
    private func open(_ name: [UInt8], in parent: Int32) throws -> Int32 {
        let descriptor = writer.open(name + [0], in: parent, O_RDONLY | O_DIRECTORY)
        if descriptor < 0, errno == EXDEV {
            mountPoints.insert(path)
            writer.note("\(shown) is a mount point and was left as it is")
            return -1
        }
        guard descriptor >= 0 else { throw failure("cannot open") }
        return descriptor
    }

    private func first(_ entry: TreeEntry, _ parent: Int32, _ hand: () -> Void) throws {
        if let failure = failed.error { throw failure }
        let name = entry.name + [0]
        switch entry.kind {
        case .directory:
            if withCharacters(name, { mkdirat(parent, $0, 0o700) }) == 0 { return }
            guard errno == EEXIST, options.merges else { throw failure("cannot make") }
            if try isDirectory(name, parent) { return }
            try clear(name, parent)
            guard withCharacters(name, { mkdirat(parent, $0, 0o700) }) == 0 else {
                throw failure("cannot make")
            }
        case .file(let size, _):
            if options.merges { try clear(name, parent) }
            bytes = bytes.addingClamped(size)
            jobBytes = jobBytes.addingClamped(size)
            jobs.append(Job(entry: entry, path: path + [0]))
            if jobs.count >= 256 || jobBytes >= 4 << 20 {
                hand()
                options.progress?(IngestProgress(entries: entries, bytes: bytes))
            }
        case .hardLink:
            if options.merges { try clear(name, parent) }
        case .link, .characterDevice, .blockDevice, .pipe, .socket:
            if options.merges { try clear(name, parent) }
            jobs.append(Job(entry: entry, path: path + [0]))
        }
    }

    /// Second names of files, and the attributes of directories.
    private func second(_ reader: BlobReader) throws {
        var open: [TreeEntry] = []
        var count = 0
        try TreeWalk.each(part, in: store, reader) { event in
            guard case .entry(let entry) = event else {
                guard let entry = open.popLast() else { return }
                defer { path.removeLast(path.count - (lengths.popLast() ?? 0)) }
                if mountPoints.contains(path) || (keepsRoot && path.isEmpty) { return }
                let descriptor = writer.open(
                    (path.isEmpty ? [46] : path) + [0], in: root.descriptor, O_RDONLY | O_DIRECTORY)
                guard descriptor >= 0 else { throw failure("cannot open") }
                defer { close(descriptor) }
                return try writer.setAttributes(entry, descriptor, path.isEmpty ? directory : shown)
            }
            let length = path.count
            if count > 0 {
                if length > 0 { path.append(UInt8(ascii: "/")) }
                path.append(contentsOf: entry.name)
            }
            count += 1
            if entry.isDirectory {
                open.append(entry)
                lengths.append(length)
                return
            }
            if case .hardLink(let target) = entry.kind { try link(target) }
            path.removeLast(path.count - length)
        }
    }

    /// Makes a second name of a file. Nobody knows who else writes to the directory, or wrote the tree: what gets the name is
    /// a file that was opened below the root, through no link.
    private func link(_ target: [UInt8]) throws {
        let file = writer.open(target + [0], in: root.descriptor, volt_o_path)
        var information = stat()
        guard file >= 0, fstat(file, &information) == 0, information.st_mode & S_IFMT == S_IFREG else {
            let error = file < 0 ? SystemError.current : SystemError(number: ENOENT)
            if file >= 0 { close(file) }
            let first = String(shown: target)
            guard [ENOENT, ENOTDIR, ELOOP].contains(error.number) else {
                throw error.during("cannot open '\(directory)/\(first)'")
            }
            throw VoltError(
                .failed,
                "'\(shown)' is a second name of '\(first)', which is not a file below '\(directory)'",
                hint: "let nobody else write to the directory meanwhile")
        }
        defer { close(file) }
        let slash = path.lastIndex(of: UInt8(ascii: "/"))
        let parent = writer.open(
            (slash.map { Array(path[..<$0]) } ?? [46]) + [0], in: root.descriptor, O_RDONLY | O_DIRECTORY)
        guard parent >= 0 else { throw failure("cannot open the directory of") }
        defer { close(parent) }
        let name = Array(path[(slash.map { $0 + 1 } ?? 0)...]) + [0]
        guard withCharacters(name, { volt_link(file, parent, $0) }) == 0 else { throw failure("cannot link") }
    }

    // MARK: What was there

    private func isDirectory(_ name: [UInt8], _ parent: Int32) throws -> Bool {
        var information = stat()
        guard withCharacters(name, { fstatat(parent, $0, &information, AT_SYMLINK_NOFOLLOW) }) == 0 else {
            throw failure("cannot read")
        }
        return information.st_mode & S_IFMT == S_IFDIR
    }

    /// Makes room for a name.
    private func clear(_ name: [UInt8], _ parent: Int32) throws {
        if withCharacters(name, { unlinkat(parent, $0, 0) }) == 0 || errno == ENOENT { return }
        guard [EISDIR, EPERM, EBUSY].contains(errno) else { throw failure("cannot replace") }
        guard errno == EBUSY || options.deletes else {
            if withCharacters(name, { unlinkat(parent, $0, AT_REMOVEDIR) }) == 0 { return }
            if errno == EBUSY { throw isMounted }
            throw VoltError(
                .conflict, "'\(shown)' would replace a directory that is not empty", hint: "add --delete")
        }
        var isWhole = true
        try Files.removeTree(Array(name.dropLast()), in: parent, named: "\(directory)/\(shown)") { _ in
            isWhole = false
        }
        guard isWhole else { throw isMounted }
    }

    private var isMounted: VoltError {
        VoltError(
            .conflict, "'\(directory)/\(shown)' would be replaced, and something is mounted there or below",
            hint: "unmount it first")
    }

    private func remove(allBut names: [[UInt8]], in descriptor: Int32) throws {
        let there: NameList
        do throws(SystemError) { there = try NameList(descriptor) } catch {
            throw error.during("cannot list '\(directory)/\(shown)'")
        }
        var index = 0
        for number in 0..<there.count {
            let name = Array(there[number].dropLast())
            while index < names.count, names[index].lexicographicallyPrecedes(name) { index += 1 }
            if index < names.count, names[index] == name { continue }
            let length = path.count
            if length > 0 { path.append(UInt8(ascii: "/")) }
            path.append(contentsOf: name)
            defer { path.removeLast(path.count - length) }
            try Files.removeTree(name, in: descriptor, named: shown) { [writer] place in
                writer.note("\(place) is a mount point and was left as it is")
            }
        }
    }

    private var shown: String { String(shown: path) }

    private func failure(_ what: String) -> VoltError {
        SystemError.current.during("\(what) '\(directory)/\(shown)'")
    }
}
