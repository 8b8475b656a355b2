internal import CVoltSystem
internal import Glibc
public import VoltCore
internal import VoltCrypto
internal import VoltSystem

/// How a tree is mounted.
public struct MountOptions: Sendable {
    /// A directory for what is changed; without it the mount is for reading only.
    public var upper: String?
    /// What changes need not survive a power cut: unmounting does not wait for the disk.
    public var isVolatile = false
    /// Where a mount from a store that is read-only has its image while it is made.
    public var runtime = "/run"

    /// For reading only.
    public init() {}
}

/// How a tree was mounted.
public struct MountResult: Sendable, Codable {
    /// `file` or `loop`: how the kernel reads the image of the names.
    public let image: String
    /// The lease that keeps the tree until `unmount`; nil in a store that is read-only, which loses nothing.
    public let lease: String?
    /// Character devices of number 0:0 in the tree: overlayfs takes them for removed names and shows none.
    public let hidden: Int
}

extension ContentStore {
    /// Mounts a tree of bare files: an EROFS image with its names over the objects of the store, by overlayfs. No file
    /// is copied or linked, and trees that share a file share its pages in memory. It needs root, and Linux 6.5.
    ///
    /// - Parameters:
    ///   - directory: an existing directory.
    /// - Throws: `VoltError`; `missing` when the kernel cannot do it, with what to do instead.
    public func mount(_ part: TreePart, at directory: String, options: MountOptions = MountOptions()) throws
        -> MountResult
    {
        let target = Files.absolute(directory, from: Files.currentDirectory)
        guard Files.isDirectory(target) else {
            throw VoltError(.notFound, "there is no directory '\(target)'", hint: "make it with mkdir")
        }
        // A second mount there would hide the first, and 'unmount' let both trees go.
        guard try !leases().contains(where: { $0.holder == "mount \(target)" }), !isMounted(at: target) else {
            throw VoltError(
                .conflict,
                "a tree of '\(path)' is mounted at '\(target)', or was before the last start of the host",
                hint: "run 'volt cas umount \(target)' first")
        }
        guard try !TreeSelection(self, part).isFile else {
            throw VoltError(
                .usage, "'\(String(shown: part.path))' is not a directory",
                hint: "write it to a file with 'volt cas get'")
        }
        if isReadOnly {
            let (image, hidden) = try TreeMount(self, part).mount(at: target, options)
            return MountResult(image: image, lease: nil, hidden: hidden)
        }
        // For as long as it is mounted: nobody else would say that the tree is needed.
        let lease = try takeLease(
            on: part.tree, kind: .tree, holder: "mount \(target)", for: .seconds(10 * 365 * 86_400),
            durably: false
        )
        do {
            let (image, hidden) = try TreeMount(self, part).mount(at: target, options)
            return MountResult(image: image, lease: lease.id, hidden: hidden)
        } catch {
            try? endLease(lease.id)
            throw error
        }
    }

    /// Unmounts a tree and lets it go.
    ///
    /// - Throws: `VoltError`; `notFound` when nothing of this store is mounted there, `conflict` while it is used.
    public func unmount(_ directory: String) throws {
        let target = Files.absolute(directory, from: Files.currentDirectory)
        let holder = "mount \(target)"
        let held = try leases().filter { $0.holder == holder }
        guard !held.isEmpty || isMounted(at: target) else {
            throw VoltError(
                .notFound, "no tree of '\(path)' is mounted at '\(target)'", hint: "see 'volt cas lease ls'")
        }
        if umount2(target, 0) != 0, errno != EINVAL {
            var error = SystemError.current.during("cannot unmount '\(target)'")
            if errno == EBUSY {
                error = VoltError(
                    .conflict, "cannot unmount '\(target)': something uses it",
                    hint: "see 'fuser -m \(target)'")
            }
            throw error
        }
        for lease in held { try endLease(lease.id) }
    }

    /// Whether a tree of a store that is read-only is mounted: no lease says so.
    private func isMounted(at target: String) -> Bool {
        guard isReadOnly, let bytes = try? Files.read("/proc/self/mountinfo", limit: 64 << 20) else {
            return false
        }
        // mountinfo writes a space as \040.
        let place = target.map { $0 == " " ? "\\040" : "\($0)" }.joined()
        return String(decoding: bytes, as: UTF8.self).split(separator: "\n").contains { line in
            let words = line.split(separator: " ")
            return words.count > 5 && words[4] == place && line.contains(" - overlay volt-cas ")
        }
    }

    /// Makes the image of a tree that `mount` needs, unless it is there.
    ///
    /// - Throws: `VoltError`; `failed` when a file of the tree is not bare.
    /// - Returns: its path.
    @discardableResult
    public func prepareMount(of tree: Digest) throws -> String {
        try TreeMount(self, TreePart(tree)).image(durably: true)
    }

    /// Makes the files of a tree bare, and the image of its names; they stay packed too until nothing else needs that.
    ///
    /// - Parameter progress: told with the bytes of the files looked at.
    /// - Returns: how many files were not bare before.
    public func makeBare(_ tree: Digest, progress: (UInt64) -> Void = { _ in }) throws -> Int {
        let session = try WriteSession(self)
        defer { session.end() }
        let reader = BlobReader(self)
        var bytes: UInt64 = 0
        try TreeWalk.each(BinaryDigest(tree), in: BlobReader(self)) { event in
            guard case .entry(let entry) = event, case .file(let size, let digest) = entry.kind, size > 0
            else {
                return
            }
            bytes = bytes.addingClamped(size)
            progress(bytes)
            if try session.looking({ try session.keepsBare(digest) }) { return }
            let file = try session.bare.temporary()
            try reader.write(digest, to: file)
            try session.bare.add(digest, file.path, size: size)
        }
        let count = session.bare.written.count
        try session.finish()
        try prepareMount(of: tree)
        return count
    }

    /// The directory of the bare files, which overlayfs needs as a data-only layer.
    public var objects: String { layout.objects }
}

/// The mount of one tree.
struct TreeMount {
    private let store: ContentStore
    private let part: TreePart

    init(_ store: ContentStore, _ part: TreePart) {
        self.store = store
        self.part = part
    }

    /// The name of the image: the digest of the tree, and of a part of it that of its path.
    private var name: String {
        let place = part.path.isEmpty ? "" : "-\(SHA256Hasher.digest(of: part.path).hex.prefix(16))"
        return part.tree.hex + place
    }

    /// The image of the names, made when it is not there.
    ///
    /// - Parameters:
    ///   - durably: whether it is to be whole after a power cut. One that is not has the number of this start
    ///   of the host in its name and is never used after another.
    ///   - directory: for the image of a store that is read-only.
    func image(durably: Bool, in directory: String? = nil) throws -> String {
        let durable = "\(store.layout.cache)/\(name).erofs"
        if Files.exists(durable) { return durable }
        var path = durable
        if !durably {
            let boot = try Files.read("/proc/sys/kernel/random/boot_id", limit: 64)
            path =
                "\(store.layout.cache)/\(name)-\(String(decoding: boot.prefix(8), as: UTF8.self)).erofs"
            if Files.exists(path) { return path }
        }
        if let directory { path = "\(directory)/names.erofs" }
        let temporary = "\(path).\(getpid()).tmp"
        let file = try StoreFile(creating: temporary)
        do {
            let directory = volt_open(store.layout.objects, O_RDONLY | O_DIRECTORY, 0)
            defer { close(directory) }
            try ErofsImage(store, part).write(to: file) { entry, size, digest in
                let hex = digest.hex
                var information = stat()
                guard fstatat(directory, "\(hex.prefix(2))/\(hex.dropFirst(2))", &information, 0) == 0 else {
                    throw VoltError(
                        .failed,
                        "tree '\(part.tree.short)' has files that are not whole in the store, such as '\(digest.digest)'",
                        hint: "add the tree with --bare, or check it out")
                }
                guard UInt64(information.st_size) == size else {
                    throw ContentStore.otherSize(entry.shownName, size, digest, UInt64(information.st_size))
                }
            }
            if durably { try file.sync() }
            guard rename(temporary, path) == 0 else {
                throw SystemError.current.during("cannot write '\(path)'")
            }
            return path
        } catch {
            unlink(temporary)
            throw error
        }
    }

    /// - Returns: `file` or `loop`, and how many devices the mount does not show.
    func mount(at target: String, _ options: MountOptions) throws -> (image: String, hidden: Int) {
        // A place for the names, which is out of sight when the overlay stands on it.
        let name = "mount-\(StoreLayout.name(UInt64.random(in: 1...UInt64.max)))"
        let place = "\(store.isReadOnly ? options.runtime : store.layout.sessions)/\(name)"
        try Files.makeDirectory(place, mode: 0o700)
        defer { rmdir(place) }
        let image = try image(durably: false, in: store.isReadOnly ? place : nil)
        // The kernel goes on reading it.
        defer { if image.hasPrefix(place) { unlink(image) } }
        // The names are mounted over it.
        let hidden = try Self.hidden(image)
        let source = try NamesImage.mount(image, at: place)
        defer { umount2(place, Int32(MNT_DETACH)) }
        var data =
            "metacopy=on,redirect_dir=on,lowerdir=\(Self.escaped(place))::\(Self.escaped(store.layout.objects))"
        if let upper = options.upper {
            let upper = Files.absolute(upper, from: Files.currentDirectory)
            for name in ["upper", "work"] { try Files.makeDirectory("\(upper)/\(name)", mode: 0o755) }
            data += ",upperdir=\(Self.escaped("\(upper)/upper")),workdir=\(Self.escaped("\(upper)/work"))"
            if options.isVolatile { data += ",volatile" }
        }
        guard volt_mount("volt-cas", target, "overlay", data) == 0 else {
            let error = SystemError.current
            guard error.number == EINVAL || error.number == ENODEV else {
                throw error.during("cannot mount '\(target)'")
            }
            throw VoltError(
                .missing, "cannot mount '\(target)': this kernel has no overlayfs with data-only layers",
                hint: "use Linux 6.5 or later, or 'volt cas checkout'")
        }
        return (source.rawValue, hidden)
    }

    private static func hidden(_ image: String) throws -> Int {
        var bytes = [UInt8](repeating: 0, count: Erofs.volumeCount)
        let file = try StoreFile(reading: image)
        _ = try bytes.withUnsafeMutableBytes {
            try file.read(at: Erofs.superblockOffset + Erofs.volumeOffset, into: $0)
        }
        let words = String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self).split(separator: " ")
        return words.count == 2 && words[0] == "hidden" ? Int(words[1]) ?? 0 : 0
    }

    /// A path in the options of overlayfs, where a comma ends an option and a colon a layer.
    private static func escaped(_ path: String) -> String {
        path.map { $0 == "," || $0 == ":" || $0 == "\\" ? "\\\($0)" : "\($0)" }.joined()
    }
}
