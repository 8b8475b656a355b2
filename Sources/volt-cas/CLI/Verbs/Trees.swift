internal import ArgumentParser
internal import Glibc
internal import VoltArchive
internal import VoltCLI
internal import VoltCore
internal import VoltStore
internal import VoltSystem

struct AddTree: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "add-tree", abstract: "Put a directory or a tar archive into the store as a tree.",
        discussion: """
            A tree has names, kinds, permissions, owners, times, extended attributes with capabilities and ACLs, \
            hard links and devices; the same tree has the same digest wherever it is made. Files that have not \
            changed since the last time are not read again. An archive, compressed or not, is unpacked first in the \
            store: no name in it leads out of the tree. A name that cannot be read, changes all the time, or is over a \
            limit of trees is left out with a note: the tree is kept, marked as incomplete, and the exit code is 2.

            Examples:
              mmdebstrap bookworm - | volt cas add-tree - --bare --tag images/debian:12
              volt cas add-tree /srv/site --tag site
              volt cas add-tree rootfs --bare --exclude 'var/cache/*' --tag images/site
              volt cas add-tree / --one-file-system --exclude /tmp/'*' --tag backups/host
            """)

    @Argument(help: "A directory, a tar archive, or '-' for one from stdin.") var source: String
    @Option(help: "A name for it, which keeps it from gc.") var tag: String?
    @Flag(help: "Keep its files whole, ready to be mounted and linked.") var bare = false
    @Option(
        help: ArgumentHelp(
            "Leave out what matches: a path from the root when it has a slash, else a name.",
            valueName: "glob"))
    var exclude: [String] = []
    @Flag(help: "Do not go into other file systems.") var oneFileSystem = false
    @Flag(help: "Store nothing when something has to be left out.") var strict = false
    @Flag(inversion: .prefixedNo, help: "Keep the times of the last change.") var times = true
    @Option(help: ArgumentHelp("Give everything this owner, such as 0:0.", valueName: "user:group"))
    var owner: String?
    @Flag(inversion: .prefixedNo, help: "Trust inode, size and times to tell which files have not changed.")
    var cache = true
    @OptionGroup var place: StoreOptions
    @OptionGroup var progress: ProgressOptions
    @OptionGroup var output: OutputOptions

    struct Row: Encodable {
        let digest: Digest
        let entries: Int
        let bytes: UInt64
        let unchanged: Int
        let newBlobs: Int
        let storedBytes: UInt64
        let notes: [String]
        let leftOut: [LeftOut]
        let leftOutCount: Int
    }

    func run() throws {
        let (store, context) = try place.openForWriting()
        var options = IngestOptions()
        options.representation = bare ? .bare : .packed
        options.excludes = exclude
        options.staysOnFileSystem = oneFileSystem
        options.keepsTimes = times
        options.usesCache = cache
        options.isStrict = strict
        if let owner {
            let parts = owner.split(separator: ":", omittingEmptySubsequences: false).map { part in
                part.utf8.allSatisfy { (48...57).contains($0) } ? UInt32(part) : nil
            }
            // For the kernel the largest number means to leave the owner as it is.
            guard parts.count == 2, let user = parts[0], let group = parts[1], user != .max, group != .max
            else {
                throw VoltError(
                    .usage, "'\(owner)' is not an owner",
                    hint: "write two numbers up to 4294967294, such as 0:0")
            }
            options.owner = (user, group)
        }
        let line = progress.line("add-tree")
        options.progress = { line.show($0.bytes, entries: $0.entries) }
        let path = source == "-" ? "-" : Files.absolute(source, from: Files.currentDirectory)
        let result =
            path == "-" || (Files.exists(path) && !Files.isDirectory(path))
            ? try addArchive(path, store, options) : try store.addTree(path, options: options, tag: tag)
        line.end()
        for note in result.notes { Output.note("\(context.displayName): note: \(note)") }
        for name in result.leftOut.prefix(100) {
            let what = name.attributesOnly ? "its extended attributes are left out" : "left out"
            Output.note("\(context.displayName): note: \(what): \(name.reason)")
        }
        if output.format == .json {
            try Output.put(
                Output.json(
                    Row(
                        digest: result.digest, entries: result.entries, bytes: result.bytes,
                        unchanged: result.unchanged, newBlobs: result.newBlobs,
                        storedBytes: result.storedBytes, notes: result.notes, leftOut: result.leftOut,
                        leftOutCount: result.leftOutCount)))
        } else {
            try Output.put(result.digest)
        }
        if !progress.quiet, output.format != .json {
            Output.note(
                "\(result.entries) names, \(ByteSize(bytes: result.bytes)); \(result.unchanged) unchanged, "
                    + "\(result.newBlobs) new blobs, \(ByteSize(bytes: result.storedBytes)) stored")
        }
        guard result.leftOutCount > 0 else { return }
        Output.note(
            "\(context.displayName): the tree is incomplete: \(result.leftOutCount) names are left out, or lack something"
        )
        throw ExitStatus(VoltCore.ExitCode.partial.rawValue)
    }
}

extension AddTree {
    private func addArchive(_ path: String, _ store: ContentStore, _ options: IngestOptions) throws
        -> IngestResult
    {
        let descriptor = path == "-" ? 0 : open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw SystemError.current.during("cannot open '\(path)'") }
        defer { if descriptor != 0 { close(descriptor) } }
        var unpack = UnpackOptions()
        unpack.isLayer = false
        unpack.makesDevices = HostPaths.runsAsRoot
        // Only root gives files away; the tree gets the owner that was asked for.
        if !HostPaths.runsAsRoot {
            guard options.owner != nil else {
                throw VoltError(
                    .refused, "the owners of an archive can only be kept by root",
                    hint: "run the command with sudo, or give everything one owner with --owner")
            }
            unpack.owner = (geteuid(), getegid())
        }
        return try store.withTemporaryDirectory { directory in
            let unpacked = try Tar.unpack(
                descriptor: descriptor, name: path == "-" ? "standard input" : path,
                into: directory, options: unpack)
            guard unpacked.entries > 0 else {
                throw VoltError(.failed, "'\(source)' is an empty archive", hint: "look where it comes from")
            }
            for example in unpacked.skippedExamples { Output.note("volt-cas: note: left out \(example)") }
            var options = options
            options.usesCache = false
            // Nobody else writes to what was unpacked.
            options.isStrict = true
            options.consumes = options.representation == .bare
            return try store.addTree(directory, options: options, tag: tag)
        }
    }
}

struct Ls: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "ls", abstract: "List what is in a tree.",
        discussion: """
            Names are shown as they are. In a name that is not UTF-8, or has a backslash or what is not printable, \
            every byte but printable ASCII, and the backslash, is written \\xNN; get, cat and --exclude take that form.

            Examples:
              volt cas ls site
              volt cas ls images/site:etc
              volt cas ls site -o json
            """)

    @Argument(help: "A tree: a digest, a tag, or TREE:PATH.") var tree: String
    @OptionGroup var place: StoreOptions
    @OptionGroup var output: OutputOptions

    struct Row: Encodable {
        let path: String
        let type: String
        let mode: String
        let user: UInt32
        let group: UInt32
        let size: UInt64?
        let digest: Digest?
        let target: String?
        let seconds: Int64
        let nanoseconds: UInt32
        /// Of the root of a tree that is incomplete: the names that it lacks.
        let leftOut: [String]?
    }

    func run() throws {
        let (store, context) = try place.open()
        // A line a name at once: a tree may have millions.
        try store.eachEntry(of: try store.part(tree)) { path, entry in
            let row = Self.row(path, entry)
            if let names = row.leftOut { context.noteIncomplete(names) }
            if output.format == .json { return try Output.put(Output.json(row, pretty: false)) }
            let size = row.size.map { String($0) } ?? "-"
            let padding = String(repeating: " ", count: max(0, 12 - size.count))
            let target = row.target.map { " -> \($0)" } ?? ""
            try Output.put(
                "\(Self.letter(entry))\(row.mode)  \(row.user):\(row.group) \(padding)\(size)  \(row.path)\(target)"
            )
        }
    }

    private static func row(_ path: [UInt8], _ entry: TreeEntry) -> Row {
        var size: UInt64?
        var digest: Digest?
        var target: String?
        switch entry.kind {
        case .file(let bytes, let name):
            size = bytes
            digest = bytes > 0 ? name.digest : nil
        case .link(let bytes), .hardLink(let bytes): target = String(shown: bytes)
        case .characterDevice(let major, let minor), .blockDevice(let major, let minor):
            target = "\(major):\(minor)"
        case .directory, .pipe, .socket: break
        }
        let octal = String(entry.mode, radix: 8)
        return Row(
            path: path.isEmpty ? "." : String(shown: path), type: type(entry),
            mode: String(repeating: "0", count: max(0, 4 - octal.count)) + octal, user: entry.user,
            group: entry.group,
            size: size, digest: digest, target: target, seconds: entry.seconds,
            nanoseconds: entry.nanoseconds, leftOut: entry.leftOut)
    }

    private static func type(_ entry: TreeEntry) -> String {
        switch entry.kind {
        case .directory: "directory"
        case .file: "file"
        case .link: "link"
        case .hardLink: "hardlink"
        case .characterDevice: "character-device"
        case .blockDevice: "block-device"
        case .pipe: "pipe"
        case .socket: "socket"
        }
    }

    private static func letter(_ entry: TreeEntry) -> Character {
        switch entry.kind {
        case .directory: "d"
        case .file: "-"
        case .link: "l"
        case .hardLink: "h"
        case .characterDevice: "c"
        case .blockDevice: "b"
        case .pipe: "p"
        case .socket: "s"
        }
    }
}

struct CheckoutTree: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "checkout", abstract: "Write a tree to a directory.",
        discussion: """
            Copies share their blocks with the store where the file system can. With --link the files are those of \
            the store: for reading only, with its owner and times.

            What is mounted below the directory is left as it is, also with --delete. A tree that has something for \
            such a place is refused; --across-mounts writes it. An owner, a permission, a time or an attribute that \
            cannot be set, and a device that cannot be made, is named; the rest is written, and the exit code is 2.

            Examples:
              volt cas checkout site /srv/site
              volt cas checkout site /srv/site --merge --delete
              volt cas checkout backups/host:etc/nginx /etc/nginx --merge
              volt cas checkout images/site rootfs --link
            """)

    @Argument(help: "A tree: a digest, a tag, or TREE:PATH of a directory or a file.") var tree: String
    @Argument(help: "The directory; it is made when it is not there.") var directory: String
    @Flag(help: "Link the files of the store instead of copying them.") var link = false
    @Flag(help: "Write into a directory that has files; those of the tree replace them.") var merge = false
    @Flag(help: "With --merge: remove what the tree does not have.") var delete = false
    @Flag(help: "With --merge: also write to what is mounted below the directory.") var acrossMounts = false
    @Flag(help: "End with an error when something cannot be set.") var strict = false
    @Flag(inversion: .prefixedNo, help: "Set owners, which only root may.") var owners = HostPaths.runsAsRoot
    @OptionGroup var place: StoreOptions
    @OptionGroup var progress: ProgressOptions
    @OptionGroup var output: OutputOptions

    struct Row: Encodable {
        let entries: Int
        let bytes: UInt64
        let notes: [String]
        let losses: [String]
        let lossCount: Int
        let leftOut: [String]?
    }

    func validate() throws {
        if delete, !merge { throw ValidationError("--delete goes with --merge") }
        if acrossMounts, !merge { throw ValidationError("--across-mounts goes with --merge") }
    }

    func run() throws {
        let (store, context) = try place.open()
        var options = CheckoutOptions()
        options.method = link ? .link : .copy
        options.merges = merge
        options.deletes = delete
        options.crossesMounts = acrossMounts
        options.setsOwners = owners
        options.isStrict = strict
        let line = progress.line("checkout")
        options.progress = { line.show($0.bytes, entries: $0.entries) }
        let result = try store.checkout(
            try store.part(tree), to: Files.absolute(directory, from: Files.currentDirectory),
            options: options)
        line.end()
        for note in result.notes + result.losses { Output.note("\(context.displayName): note: \(note)") }
        if let names = result.leftOut { context.noteIncomplete(names) }
        if output.format == .json {
            try Output.put(
                Output.json(
                    Row(
                        entries: result.entries, bytes: result.bytes, notes: result.notes,
                        losses: result.losses, lossCount: result.lossCount, leftOut: result.leftOut)))
        }
        if result.lossCount > 0 { throw ExitStatus(VoltCore.ExitCode.partial.rawValue) }
    }
}

struct Diff: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "diff", abstract: "Compare two trees; the exit code is 1 when they differ.",
        discussion: """
            Each line has a sign: + added, - removed, * other content, ~ other attributes only.

            Example:
              volt cas diff backups/host-monday backups/host-tuesday
            """)

    @Argument(help: "The old tree: a digest, a tag, or TREE:PATH.") var old: String
    @Argument(help: "The new tree: a digest, a tag, or TREE:PATH.") var new: String
    @Flag(help: "A different time alone is no change.") var ignoreTimes = false
    @OptionGroup var place: StoreOptions
    @OptionGroup var output: OutputOptions

    struct Row: Encodable {
        let path: String
        let change: TreeChange.Kind
    }

    func run() throws {
        let (store, _) = try place.open()
        var differs = false
        try store.difference(from: try store.part(old), to: try store.part(new), ignoresTimes: ignoreTimes) {
            change in
            differs = true
            let path = change.path.isEmpty ? "." : String(shown: change.path)
            if output.format == .json {
                return try Output.put(Output.json(Row(path: path, change: change.kind), pretty: false))
            }
            let sign =
                switch change.kind {
                case .added: "+"
                case .removed: "-"
                case .content: "*"
                case .attributes: "~"
                }
            try Output.put("\(sign) \(path)")
        }
        if differs { throw ExitStatus(1) }
    }
}
