internal import CVoltSystem
internal import Glibc
internal import Synchronization
internal import VoltCore
internal import VoltSystem

/// Writes what is not a directory; any thread may call it.
final class CheckoutWriter: Sendable {
    private let store: ContentStore
    private let root: StoreFile
    private let options: CheckoutOptions
    private let found = Mutex<[String]>([])
    /// Until one file could not share its blocks with the store.
    private let canShare = Atomic<Bool>(true)

    init(_ store: ContentStore, _ root: StoreFile, _ options: CheckoutOptions) {
        self.store = store
        self.root = root
        self.options = options
    }

    /// What could not be set or made.
    private let lost = Mutex<(first: [String], count: Int)>(([], 0))

    var notes: [String] { found.withLock { $0 } }

    var losses: (first: [String], count: Int) { lost.withLock { $0 } }

    /// Goes on without something, unless nothing may be lost.
    private func lose(_ error: VoltError) throws {
        if options.isStrict { throw error }
        lost.withLock {
            if $0.first.count < 100 { $0.first.append(error.message) }
            $0.count += 1
        }
    }

    func note(_ text: String) { found.withLock { if $0.count < 100 { $0.append(text) } } }

    /// Opens what is at a path, with a zero at its end: below the directory, through no link, and not in what is mounted
    /// there unless that was asked for. Returns -1 with `errno`, EXDEV for what is mounted.
    func open(_ path: [UInt8], in directory: Int32, _ flags: Int32, mode: mode_t = 0) -> Int32 {
        withCharacters(path) {
            options.crossesMounts
                ? volt_open_beneath(directory, $0, flags | O_NOFOLLOW, mode)
                : volt_open_on_mount(directory, $0, flags | O_NOFOLLOW, mode)
        }
    }

    func write(_ job: Checkout.Job, _ reader: BlobReader) throws {
        let entry = job.entry
        switch entry.kind {
        case .file(let size, let digest):
            if options.method == .link, size > 0 {
                try link(job, size, digest)
            } else {
                try copy(job, size, digest, reader)
            }
        case .link(let target):
            try inParent(job) { parent, name in
                guard
                    withCharacters(
                        target + [0], { target in withCharacters(name) { symlinkat(target, parent, $0) } })
                        == 0
                else { throw failure("cannot make", job) }
                let link = try made(job, parent, name, S_IFLNK)
                defer { close(link) }
                try attributes(job, link)
            }
        case .pipe: try node(job, S_IFIFO, 0)
        case .socket: try node(job, S_IFSOCK, 0)
        case .characterDevice(let major, let minor): try node(job, S_IFCHR, volt_device(major, minor))
        case .blockDevice(let major, let minor): try node(job, S_IFBLK, volt_device(major, minor))
        case .directory, .hardLink: break
        }
    }

    private func copy(_ job: Checkout.Job, _ size: UInt64, _ digest: BinaryDigest, _ reader: BlobReader)
        throws
    {
        let file = open(job.path, in: root.descriptor, O_WRONLY | O_CREAT | O_EXCL, mode: 0o600)
        guard file >= 0 else { throw failure("cannot write", job) }
        defer { close(file) }
        if size > 0 {
            try store.requireSize(size, of: digest, shown(job))
            if try isShared(digest, file, reader) { return try setAttributes(job.entry, file, shown(job)) }
            var offset = 0
            var endsInHole = false
            try reader.read(digest) { part in
                switch part {
                case .zeros: endsInHole = true
                case .bytes(let bytes):
                    try write(bytes, to: file, at: offset, job)
                    endsInHole = false
                }
                offset += part.count
            }
            guard UInt64(offset) == size else {
                throw ContentStore.otherSize(shown(job), size, digest, UInt64(offset))
            }
            if endsInHole, ftruncate(file, off_t(size)) != 0 { throw failure("cannot write", job) }
        }
        try setAttributes(job.entry, file, shown(job))
    }

    /// Whether a file has the blocks of the store's file now. What is shared is read too: all that comes out of the store is
    /// compared with its digest.
    private func isShared(_ digest: BinaryDigest, _ file: Int32, _ reader: BlobReader) throws -> Bool {
        guard shares(digest, file) else { return false }
        do { try reader.checkBare(digest) } catch {
            // There may be another copy.
            guard ftruncate(file, 0) == 0 else { throw error }
            return false
        }
        return true
    }

    /// Gives a file the blocks of the store's file, where the file system can (`FICLONE` of ioctl_ficlone(2)).
    private func shares(_ digest: BinaryDigest, _ file: Int32) -> Bool {
        guard canShare.load(ordering: .relaxed) else { return false }
        let object = volt_open(store.layout.object(digest), O_RDONLY, 0)
        guard object >= 0 else { return false }
        defer { close(object) }
        if volt_clone(object, file) == 0 { return true }
        canShare.store(false, ordering: .relaxed)
        return false
    }

    private func write(_ bytes: UnsafeRawBufferPointer, to file: Int32, at offset: Int, _ job: Checkout.Job)
        throws
    {
        var done = 0
        while done < bytes.count {
            let count = pwrite(
                file, bytes.baseAddress?.advanced(by: done), bytes.count - done, off_t(offset + done))
            if count < 0 {
                if errno == EINTR { continue }
                throw failure("cannot write", job)
            }
            done += count
        }
    }

    /// A second name of the store's file; of one that can be run there is a copy for that.
    private func link(_ job: Checkout.Job, _ size: UInt64, _ digest: BinaryDigest) throws {
        try store.requireSize(size, of: digest, shown(job))
        let object = store.layout.object(digest)
        let source = job.entry.mode & 0o111 == 0 ? object : "\(object).x"
        try inParent(job) { parent, name in
            let result = withCharacters(name) { linkat(AT_FDCWD, source, parent, $0, 0) }
            if result == 0 { return }
            if errno == ENOENT {
                guard Files.exists(object) else {
                    throw VoltError(
                        .failed,
                        "blob '\(digest.digest)' of '\(shown(job))' is not a whole file in the store",
                        hint: "links need a tree that was added with --bare; without --link it is copied")
                }
                try makeRunnable(object, source)
                guard withCharacters(name, { linkat(AT_FDCWD, source, parent, $0, 0) }) == 0 else {
                    throw failure("cannot link", job)
                }
                return
            }
            if errno == EXDEV {
                throw VoltError(
                    .failed, "cannot link '\(shown(job))': the store is on another file system",
                    hint: "leave --link out, and the files are copied")
            }
            throw failure("cannot link", job)
        }
    }

    private func makeRunnable(_ object: String, _ name: String) throws {
        let temporary = "\(store.layout.cache)/\(UInt64.random(in: 0...UInt64.max)).x"
        let from = try StoreFile(reading: object)
        let to = try StoreFile(creating: temporary, mode: 0o555)
        if volt_clone(from.descriptor, to.descriptor) != 0 {
            while true {
                let count = volt_copy_range(from.descriptor, to.descriptor, 1 << 30)
                if count == 0 { break }
                guard count > 0 || errno == EINTR else {
                    throw SystemError.current.during("cannot write '\(temporary)'")
                }
            }
        }
        try to.sync()
        guard rename(temporary, name) == 0 else { throw SystemError.current.during("cannot write '\(name)'") }
    }

    private func node(_ job: Checkout.Job, _ type: mode_t, _ device: UInt64) throws {
        try inParent(job) { parent, name in
            let result = withCharacters(name) { mknodat(parent, $0, type | 0o600, dev_t(device)) }
            if result != 0, errno == EPERM {
                return try lose(
                    VoltError(
                        .refused, "\(shown(job)) is left out: only root may make devices",
                        hint: "run the command with sudo"))
            }
            guard result == 0 else { throw failure("cannot make", job) }
            let node = try made(job, parent, name, type, device)
            defer { close(node) }
            try attributes(job, node)
            if volt_path_mode(node, job.entry.mode) != 0 {
                try lose(failure("cannot set the permissions of", job))
            }
            try accessList(job, node)
        }
    }

    /// The access control list of what is not opened for its bytes.
    private func accessList(_ job: Checkout.Job, _ node: Int32) throws {
        for attribute in job.entry.extended where attribute.name.elementsEqual("system.posix_acl_access".utf8)
        {
            let result = withCharacters(attribute.name + [0]) {
                volt_path_attribute(node, $0, attribute.value, attribute.value.count)
            }
            if result != 0 { try lose(failure("cannot set the access control list of", job)) }
        }
    }

    /// Opens what was just made and is not opened for its bytes. Somebody else may write to the directory: what gets the
    /// attributes is what was made, and nothing that has its name now.
    private func made(
        _ job: Checkout.Job, _ parent: Int32, _ name: [UInt8], _ type: mode_t, _ device: UInt64 = 0
    ) throws -> Int32 {
        let file = withCharacters(name) { volt_openat(parent, $0, volt_o_path | O_NOFOLLOW, 0) }
        guard file >= 0 else { throw failure("cannot open", job) }
        var information = stat()
        guard fstat(file, &information) == 0, information.st_mode & S_IFMT == type, information.st_nlink == 1,
            UInt64(information.st_rdev) == device
        else {
            close(file)
            throw VoltError(
                .failed, "'\(root.path)/\(shown(job))' was replaced while it was written",
                hint: "let nobody else write to the directory meanwhile")
        }
        return file
    }

    /// The owner and time of what is not opened for its bytes.
    private func attributes(_ job: Checkout.Job, _ file: Int32) throws {
        let entry = job.entry
        if options.setsOwners, volt_path_owner(file, entry.user, entry.group) != 0 {
            try lose(failure("cannot set the owner of", job))
        }
        if volt_path_time(file, entry.seconds, Int64(entry.nanoseconds)) != 0 {
            try lose(failure("cannot set the time of", job))
        }
    }

    /// The order matters: a change of the owner clears setuid and capabilities, and a write the time.
    ///
    /// - Parameter name: for errors.
    func setAttributes(_ entry: TreeEntry, _ file: Int32, _ name: String) throws {
        func failure(_ what: String) -> VoltError {
            SystemError.current.during("cannot set the \(what) of '\(name)'")
        }
        var mode = entry.mode
        if options.setsOwners, fchown(file, entry.user, entry.group) != 0 {
            var error = failure("owner")
            error.hint = "only root may give files to others: add --no-owners"
            try lose(error)
            // Nobody gets the rights of an owner that the file does not have.
            mode &= ~0o6000
        }
        if fchmod(file, mode) != 0 { try lose(failure("permissions")) }
        // A tree that came from elsewhere may name what belongs to this host.
        for attribute in entry.extended
        where Attributes.isKept(attribute.name, overlay: true) {
            let result = withCharacters(attribute.name + [0]) {
                volt_fsetxattr(file, $0, attribute.value, attribute.value.count)
            }
            if result != 0 { try lose(failure("attribute '\(String(shown: attribute.name))'")) }
        }
        let time = timespec(tv_sec: Int(entry.seconds), tv_nsec: Int(entry.nanoseconds))
        if futimens(file, [time, time]) != 0 { try lose(failure("time")) }
    }

    private func inParent(_ job: Checkout.Job, _ body: (Int32, [UInt8]) throws -> Void) throws {
        guard let slash = job.path.lastIndex(of: UInt8(ascii: "/")) else {
            return try body(root.descriptor, job.path)
        }
        let parent = open(Array(job.path[..<slash]) + [0], in: root.descriptor, O_RDONLY | O_DIRECTORY)
        guard parent >= 0 else { throw failure("cannot open the directory of", job) }
        defer { close(parent) }
        try body(parent, Array(job.path[(slash + 1)...]))
    }

    private func shown(_ job: Checkout.Job) -> String { String(shown: job.path.dropLast()) }

    private func failure(_ what: String, _ job: Checkout.Job) -> VoltError {
        SystemError.current.during("\(what) '\(root.path)/\(shown(job))'")
    }
}
