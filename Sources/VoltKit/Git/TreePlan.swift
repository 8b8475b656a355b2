internal import CGit2
internal import Glibc
internal import VoltCore

/// Bounds of a tree that is written to disk. A repository is foreign input: a few kilobytes of objects
/// can stand for any number of files (one tree that holds itself many times over).
public struct TreeLimits: Sendable, Equatable {
    /// Files, links and directories: twice those of the Linux kernel's tree.
    public var entries = 200_000
    /// Directories within directories; PATH_MAX leaves room for little more with real names.
    public var depth = 100
    /// Bytes of all files: what a source tree may take of a small server's disk, for each commit kept.
    public var bytes = 2 << 30
    /// Bytes of one file: it is unpacked in memory.
    public var fileBytes = 512 << 20
    /// Bytes of one directory's object: 200,000 entries with names of 140 bytes.
    public var treeBytes = 32 << 20

    /// The limits of a source repository.
    public init() {}
}

/// The files of a commit, checked and not yet written.
public struct TreePlan {
    /// The commit.
    public let commit: GitCommit
    /// The number of files and links.
    public let files: Int
    /// The bytes of all files.
    public let bytes: Int
    /// What a person should know, such as a submodule that is left out.
    public let notes: [String]
    /// The submodules, each an empty directory when the plan is written; empty unless they were asked for.
    public let submodules: [Submodule]
    /// The paths of the files that are Git LFS pointers; empty unless they were asked for.
    public let pointers: [String]
    let entries: [TreeEntry]

    /// The number of files, links and directories.
    public var entryCount: Int { entries.count }

    /// A commit of another repository, in the place of a directory.
    public struct Submodule: Sendable, Equatable {
        /// The path of the directory.
        public let path: String
        /// 40 hex digits.
        public let commit: String
    }
}

/// One name in a tree, in the order in which it is written: a directory before what is in it.
struct TreeEntry {
    enum Kind: Equatable { case file, program, link, directory }
    let kind: Kind
    /// The number of directories above it.
    let depth: Int
    let name: [UInt8]
    let object: git_oid
}

/// Walks trees in the object database.
struct TreePlanner {
    let mirror: GitMirror
    let limits: TreeLimits
    /// Whether submodules become directories, or are left out.
    let keepsSubmodules: Bool
    /// Whether pointers of Git LFS are told by their paths, or noted.
    let keepsPointers: Bool
    private(set) var entries: [TreeEntry] = []
    private(set) var kept: [TreePlan.Submodule] = []
    private(set) var keptPointers: [String] = []
    private(set) var files = 0
    private(set) var bytes = 0
    private var submodules: [String] = []
    private var pointers: [String] = []
    private var path: [[UInt8]] = []

    init(mirror: GitMirror, limits: TreeLimits, keepsSubmodules: Bool, keepsPointers: Bool) {
        self.keepsPointers = keepsPointers
        self.keepsSubmodules = keepsSubmodules
        self.mirror = mirror
        self.limits = limits
    }

    /// The first of each sort by name, and how many there are.
    var notes: [String] {
        var notes: [String] = []
        if let first = submodules.first {
            notes.append(
                "\(submodules.count) submodule(s) left out, such as '\(first)': --submodules of 'create' has them fetched"
            )
        }
        if let first = pointers.first {
            notes.append(
                "\(pointers.count) file(s) are Git LFS pointers, such as '\(first)': --lfs of 'create' has their content fetched"
            )
        }
        return notes
    }

    mutating func add(tree id: git_oid) throws {
        var id = id
        guard path.count < limits.depth else {
            throw refusal("has more than \(limits.depth) directories within each other")
        }
        guard try header(of: id).size <= limits.treeBytes else {
            throw refusal("is a directory with too many files")
        }
        var tree: OpaquePointer?
        try check(git_tree_lookup(&tree, mirror.handle, &id))
        defer { git_tree_free(tree) }
        var names: Set<[UInt8]> = []
        for index in 0..<git_tree_entrycount(tree) {
            guard let entry = git_tree_entry_byindex(tree, index), let text = git_tree_entry_name(entry),
                let object = git_tree_entry_id(entry)?.pointee
            else { continue }
            let name = UnsafeBufferPointer(start: text, count: strlen(text)).map { UInt8(bitPattern: $0) }
            path.append(name)
            defer { path.removeLast() }
            try checkName(name)
            guard names.insert(name).inserted else { throw refusal("is in its directory twice") }
            guard entries.count < limits.entries else {
                throw refusal("is more than the \(limits.entries) files that a tree may have")
            }
            try add(object, mode: git_tree_entry_filemode_raw(entry).rawValue, name: name)
        }
    }

    private mutating func add(_ object: git_oid, mode: UInt32, name: [UInt8]) throws {
        let depth = path.count - 1
        switch mode & 0o170000 {
        case 0o040000:
            entries.append(TreeEntry(kind: .directory, depth: depth, name: name, object: object))
            try add(tree: object)
        case 0o100000:
            let size = try header(of: object, type: GIT_OBJECT_BLOB).size
            guard size <= limits.fileBytes else {
                throw refusal("is larger than \(ByteSize(bytes: UInt64(limits.fileBytes)))")
            }
            bytes += size
            guard bytes <= limits.bytes else {
                throw refusal("makes the tree larger than \(ByteSize(bytes: UInt64(limits.bytes)))")
            }
            if size >= 100, size < 1024, try isPointer(object) {
                if keepsPointers {
                    keptPointers.append(try wholePath("is a Git LFS pointer"))
                } else {
                    pointers.append(shownPath)
                }
            }
            files += 1
            let kind: TreeEntry.Kind = mode & 0o111 == 0 ? .file : .program
            entries.append(TreeEntry(kind: kind, depth: depth, name: name, object: object))
        case 0o120000:
            let size = try header(of: object, type: GIT_OBJECT_BLOB).size
            // PATH_MAX with its NUL.
            guard (1...4095).contains(size) else { throw refusal("is a link that leads nowhere") }
            files += 1
            entries.append(TreeEntry(kind: .link, depth: depth, name: name, object: object))
        case 0o160000:
            guard keepsSubmodules else { return submodules.append(shownPath) }
            kept.append(
                TreePlan.Submodule(path: try wholePath("is a submodule"), commit: ObjectID(object).hex))
            entries.append(TreeEntry(kind: .directory, depth: depth, name: name, object: object))
        default:
            throw refusal(
                "has the mode \(String(mode, radix: 8)), which is none of a file, link or directory")
        }
    }

    private func header(of object: git_oid, type wanted: git_object_t? = nil) throws(GitFailure) -> (
        size: Int, type: git_object_t
    ) {
        var object = object
        var size = 0
        var type = GIT_OBJECT_INVALID
        try check(git_odb_read_header(&size, &type, mirror.database, &object))
        if let wanted, type != wanted {
            git_error_set_str(
                Int32(GIT_ERROR_OBJECT.rawValue), "an object has another type than its entry says")
            throw GitFailure(code: GIT_ERROR.rawValue)
        }
        return (size, type)
    }

    /// The first line of a pointer file, by the specification of Git LFS.
    private func isPointer(_ object: git_oid) throws -> Bool {
        let start = Array("version https://git-lfs.github.com/spec/v1\n".utf8)
        return try mirror.withBytes(of: object) { $0.starts(with: start) }
    }

    private func checkName(_ name: [UInt8]) throws(VoltError) {
        let lower = name.map { (65...90).contains($0) ? $0 + 32 : $0 }
        let forbidden = ["", ".", "..", ".git"].contains { Array($0.utf8) == lower }
        guard !forbidden, !name.contains(UInt8(ascii: "/")), !name.contains(0), name.count <= 255 else {
            throw refusal("has a name that no file of a repository may have")
        }
    }

    private func refusal(_ what: String) -> VoltError {
        VoltError(.refused, "the tree of the commit is refused: '\(shownPath)' \(what)")
    }

    private func wholePath(_ what: String) throws(VoltError) -> String {
        guard let text = String(validating: path.joined(separator: [UInt8(ascii: "/")]), as: UTF8.self) else {
            throw refusal("\(what) whose path is not UTF-8")
        }
        return text
    }

    private var shownPath: String {
        let whole = Array(path.joined(separator: [UInt8(ascii: "/")]))
        if whole.isEmpty { return "." }
        return PrintableText.line(whole.suffix(200))
    }
}

extension GitMirror {
    /// The bytes of a file in the root of a plan; nil when there is none.
    ///
    /// - Parameter limit: the most bytes it may have; it is not read when it has more.
    /// - Throws: `GitDamage`, or `VoltError`.
    public func file(_ name: String, of plan: TreePlan, limit: Int) throws -> [UInt8]? {
        let entry = plan.entries.first {
            $0.depth == 0 && ($0.kind == .file || $0.kind == .program) && $0.name.elementsEqual(name.utf8)
        }
        guard let entry else { return nil }
        let content = try reading("'\(name)'") { () throws(GitFailure) -> Content in
            var id = entry.object
            var size = 0
            var type = GIT_OBJECT_INVALID
            try check(git_odb_read_header(&size, &type, database, &id))
            guard size <= limit else { return .tooLarge }
            var object: OpaquePointer?
            try check(git_odb_read(&object, database, &id))
            defer { git_odb_object_free(object) }
            return .bytes(
                UnsafeRawBufferPointer(
                    start: git_odb_object_data(object), count: git_odb_object_size(object)
                ).map { $0 })
        }
        guard case .bytes(let bytes) = content else {
            throw VoltError(.refused, "'\(name)' is larger than \(ByteSize(bytes: UInt64(limit)))")
        }
        return bytes
    }

    private enum Content {
        case bytes([UInt8])
        case tooLarge
    }

    /// The bytes of an object, whose name is checked against them while it is read.
    func withBytes<Result>(of id: git_oid, _ body: (UnsafeRawBufferPointer) throws -> Result) throws -> Result
    {
        var id = id
        var object: OpaquePointer?
        try check(git_odb_read(&object, database, &id))
        defer { git_odb_object_free(object) }
        return try body(
            UnsafeRawBufferPointer(start: git_odb_object_data(object), count: git_odb_object_size(object)))
    }
}
