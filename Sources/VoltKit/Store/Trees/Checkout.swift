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
        throws
        -> CheckoutResult
    {
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
        return try Checkout(self, BinaryDigest(tree), directory, options).run()
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
    private let tree: BinaryDigest
    private let directory: String
    private let options: CheckoutOptions
    private let root: StoreFile
    private let failed = FirstFailure()
    private var path: [UInt8] = []
    private var lengths: [Int] = []
    private var descriptors: [Int32] = []
    private var entries = -1
    private var bytes: UInt64 = 0
    private var jobs: [Job] = []
    private var jobBytes: UInt64 = 0

    init(_ store: ContentStore, _ tree: BinaryDigest, _ directory: String, _ options: CheckoutOptions) throws
    {
        self.store = store
        self.tree = tree
        self.directory = directory
        self.options = options
        root = try StoreFile(reading: directory)
    }

    func run() throws -> CheckoutResult {
        let count = options.threads > 0 ? options.threads : max(1, Int(sysconf(Int32(_SC_NPROCESSORS_ONLN))))
        let slots = DispatchSemaphore(value: count * 4)
        let writer = CheckoutWriter(store, root, options)
        let workers = Workers(count) { [store] in BlobReader(store) }
        var isFinished = false
        defer { if !isFinished { workers.finish() } }
        let reader = BlobReader(store)
        try walk(reader) { entry, parent in
            try self.first(entry, parent) {
                let batch = self.jobs
                self.jobs = []
                self.jobBytes = 0
                slots.wait()
                workers.submit { [failed = self.failed] reader in
                    defer { slots.signal() }
                    for job in batch {
                        if failed.error != nil { return }
                        do { try writer.write(job, reader) } catch { failed.note(error) }
                    }
                }
            }
        } up: { descriptor, names in
            if self.options.deletes { try self.remove(allBut: names, in: descriptor) }
        }
        if !jobs.isEmpty {
            for job in jobs { try writer.write(job, reader) }
        }
        workers.finish()
        isFinished = true
        if let failure = failed.error { throw failure }
        try second(reader)
        return CheckoutResult(entries: entries, bytes: bytes, notes: writer.notes)
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
            for descriptor in descriptors.dropFirst() { close(descriptor) }
            descriptors = []
        }
        var names: [[[UInt8]]] = []
        try TreeWalk.each(tree, in: reader) { event in
            guard case .entry(let entry) = event else {
                let descriptor = descriptors.removeLast()
                defer { if !descriptors.isEmpty { close(descriptor) } }
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
            guard path.count <= 4095 else {
                throw VoltError(.refused, "the tree has a path longer than 4095 bytes")
            }
            if options.deletes { names[names.count - 1].append(entry.name) }
            try body(entry, descriptors[descriptors.count - 1])
            guard entry.isDirectory else {
                path.removeLast(path.count - length)
                return
            }
            let descriptor = withCharacters(entry.name + [0]) {
                volt_openat(descriptors[descriptors.count - 1], $0, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, 0)
            }
            guard descriptor >= 0 else { throw failure("cannot open") }
            descriptors.append(descriptor)
            lengths.append(length)
            names.append([])
        }
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
            bytes += size
            jobBytes += size
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
        try TreeWalk.each(tree, in: reader) { event in
            guard case .entry(let entry) = event else {
                guard let entry = open.popLast() else { return }
                let descriptor =
                    path.isEmpty
                    ? fcntl(root.descriptor, F_DUPFD_CLOEXEC, 0)
                    : withCharacters(path + [0]) {
                        volt_open_beneath(root.descriptor, $0, O_RDONLY | O_DIRECTORY, 0)
                    }
                guard descriptor >= 0 else { throw failure("cannot open") }
                defer { close(descriptor) }
                try CheckoutWriter.setAttributes(entry, descriptor, options)
                path.removeLast(path.count - (lengths.popLast() ?? 0))
                return
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

    private func link(_ target: [UInt8]) throws {
        let slash = path.lastIndex(of: UInt8(ascii: "/"))
        let parent =
            slash.map { end in
                withCharacters(Array(path[..<end]) + [0]) {
                    volt_open_beneath(root.descriptor, $0, O_RDONLY | O_DIRECTORY, 0)
                }
            } ?? fcntl(root.descriptor, F_DUPFD_CLOEXEC, 0)
        guard parent >= 0 else { throw failure("cannot open") }
        defer { close(parent) }
        let name = Array(path[(slash.map { $0 + 1 } ?? 0)...]) + [0]
        // The directories on the way are those of the tree, made or looked at before.
        let result = withCharacters(target + [0]) { target in
            withCharacters(name) { linkat(root.descriptor, target, parent, $0, 0) }
        }
        if result != 0, errno == ENOENT {
            let first = String(decoding: target, as: UTF8.self)
            throw VoltError(
                .failed, "the tree is damaged: '\(shown)' is a second name of '\(first)', which is not there")
        }
        guard result == 0 else { throw failure("cannot link") }
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
        guard errno == EISDIR || errno == EPERM else { throw failure("cannot replace") }
        guard options.deletes else {
            if withCharacters(name, { unlinkat(parent, $0, AT_REMOVEDIR) }) == 0 { return }
            throw VoltError(
                .conflict, "'\(shown)' would replace a directory that is not empty", hint: "add --delete")
        }
        try Files.removeTree("/proc/self/fd/\(parent)/\(String(decoding: name.dropLast(), as: UTF8.self))")
    }

    private func remove(allBut names: [[UInt8]], in descriptor: Int32) throws {
        let there = try NameList(descriptor, path)
        var index = 0
        for number in 0..<there.count {
            let name = there[number]
            while index < names.count, names[index].lexicographicallyPrecedes(name.dropLast()) { index += 1 }
            if index < names.count, names[index].elementsEqual(name.dropLast()) { continue }
            try clear(name, descriptor)
        }
    }

    private var shown: String { String(decoding: path, as: UTF8.self) }

    private func failure(_ what: String) -> VoltError {
        SystemError.current.during("\(what) '\(directory)/\(shown)'")
    }
}
