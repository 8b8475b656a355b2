internal import CVoltSystem
internal import Glibc
internal import VoltCore
internal import VoltSystem

/// Which files differ between two snapshots on disk.
struct TreeDifference {
    /// Differences that are listed.
    static let listLimit = 200
    /// Files that are looked at, and bytes that are compared; beyond these the list ends.
    static let entryLimit = 50_000
    static let byteLimit = 256 << 20

    /// Whether it ends at the first difference, and at nothing else.
    private let decides: Bool
    private var changes: [FileChange] = []
    private var entries = 0
    private var bytes = 0

    /// The differences by path, at most `listLimit`.
    static func between(_ old: String, _ new: String) -> [FileChange] {
        var difference = TreeDifference(decides: false)
        difference.compare(old, new, "")
        return difference.changes.sorted { $0.path < $1.path }
    }

    /// Whether two trees have the same files, links and directories, to the last byte.
    static func isSame(_ old: String, _ new: String) -> Bool {
        var difference = TreeDifference(decides: true)
        difference.compare(old, new, "")
        return difference.changes.isEmpty
    }

    private init(decides: Bool) { self.decides = decides }

    private var isFull: Bool {
        decides
            ? !changes.isEmpty
            : changes.count >= Self.listLimit || entries >= Self.entryLimit || bytes >= Self.byteLimit
    }

    private mutating func compare(_ old: String, _ new: String, _ path: String) {
        let (left, right) = (try? Files.list(old), try? Files.list(new))
        if decides, left == nil || right == nil { return add(.changed, path) }
        // For people, what cannot be listed is said to be empty.
        let before = Set(left ?? [])
        let after = Set(right ?? [])
        for name in before.union(after).sorted() where !isFull {
            entries += 1
            let place = path.isEmpty ? name : "\(path)/\(name)"
            let left = before.contains(name) ? Entry("\(old)/\(name)") : nil
            let right = after.contains(name) ? Entry("\(new)/\(name)") : nil
            switch (left?.kind, right?.kind) {
            case (.directory, .directory): compare("\(old)/\(name)", "\(new)/\(name)", place)
            // A directory without files is a difference, too.
            case (.directory, nil) where decides: add(.removed, place)
            case (nil, .directory) where decides: add(.added, place)
            case (.directory, nil): all("\(old)/\(name)", place, .removed)
            case (nil, .directory): all("\(new)/\(name)", place, .added)
            default:
                guard left != nil || right != nil || !decides else {
                    add(.changed, place)
                    continue
                }
                guard let left else {
                    add(.added, place)
                    continue
                }
                guard let right else {
                    add(.removed, place)
                    continue
                }
                if !isSame(left, right) { add(.changed, place) }
            }
        }
    }

    private mutating func all(_ directory: String, _ path: String, _ kind: FileChange.Kind) {
        for name in ((try? Files.list(directory)) ?? []).sorted() where !isFull {
            entries += 1
            if Entry("\(directory)/\(name)")?.kind == .directory {
                all("\(directory)/\(name)", "\(path)/\(name)", kind)
            } else {
                add(kind, "\(path)/\(name)")
            }
        }
    }

    private mutating func add(_ kind: FileChange.Kind, _ path: String) {
        changes.append(FileChange(kind: kind, path: path))
    }

    private mutating func isSame(_ left: Entry, _ right: Entry) -> Bool {
        guard left.kind == right.kind, left.size == right.size, left.isExecutable == right.isExecutable else {
            return false
        }
        switch left.kind {
        case .file:
            bytes += left.size
            return Self.haveSameBytes(left.path, right.path)
        case .link: return left.target == right.target
        case .directory, .other: return true
        }
    }

    private static func haveSameBytes(_ left: String, _ right: String) -> Bool {
        let descriptors = [left, right].map { (path: String) in volt_open(path, O_RDONLY | O_NOFOLLOW, 0) }
        defer { for descriptor in descriptors where descriptor >= 0 { close(descriptor) } }
        guard descriptors.allSatisfy({ $0 >= 0 }) else { return false }
        var parts = [[UInt8]](repeating: [UInt8](repeating: 0, count: 1 << 16), count: 2)
        while true {
            let first = read(descriptors[0], &parts[0], 1 << 16)
            let second = read(descriptors[1], &parts[1], 1 << 16)
            guard first == second, first >= 0 else { return false }
            if first == 0 { return true }
            guard parts[0][..<first] == parts[1][..<first] else { return false }
        }
    }

    private struct Entry {
        enum Kind { case file, directory, link, other }
        let path: String
        let kind: Kind
        let size: Int
        let isExecutable: Bool

        init?(_ path: String) {
            var information = stat()
            guard lstat(path, &information) == 0 else { return nil }
            self.path = path
            size = Int(information.st_size)
            switch information.st_mode & S_IFMT {
            case S_IFREG: kind = .file
            case S_IFDIR: kind = .directory
            case S_IFLNK: kind = .link
            default: kind = .other
            }
            isExecutable = kind == .file && information.st_mode & 0o100 != 0
        }

        var target: String {
            var buffer = [CChar](repeating: 0, count: 4097)
            let count = max(0, readlink(path, &buffer, 4096))
            return String(decoding: buffer[..<count].map { UInt8(bitPattern: $0) }, as: UTF8.self)
        }
    }
}
