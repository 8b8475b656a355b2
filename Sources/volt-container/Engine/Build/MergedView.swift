internal import Glibc
internal import VoltArchive
internal import VoltCore
internal import VoltSystem

/// What overlayfs would show of some layers, seen without mounting them.
struct MergedView {
    /// What is at a path.
    struct Entry {
        /// The path without links.
        let path: TreePath
        let information: stat
        /// The file in its layer, an absolute path of the host.
        let file: String

        var isDirectory: Bool { information.st_mode & S_IFMT == S_IFDIR }
    }

    /// The topmost first, as absolute directories.
    let lowers: [String]

    /// The path with every link resolved, as far as it exists, and what is there.
    func resolve(_ path: TreePath) throws(VoltError) -> (path: TreePath, entry: Entry?) {
        var rest = Array(path.names.reversed())
        var done: [[UInt8]] = []
        var followed = 0
        while let name = rest.popLast() {
            if name == Array("..".utf8) {
                _ = done.popLast()
                continue
            }
            guard let entry = find(done + [name]) else {
                let missing = rest.reversed().filter { $0 != Array("..".utf8) }
                return (try Self.path(done + [name] + missing), nil)
            }
            guard entry.information.st_mode & S_IFMT == S_IFLNK else {
                done.append(name)
                continue
            }
            followed += 1
            guard followed <= 40 else {
                throw VoltError(.failed, "'\(path.text)' has too many links in the image")
            }
            let target = Self.target(of: entry.file)
            if target.first == UInt8(ascii: "/") { done = [] }
            for part in target.split(separator: UInt8(ascii: "/")).reversed()
            where part.elementsEqual([UInt8(ascii: ".")]) == false {
                rest.append(Array(part))
            }
        }
        return (try Self.path(done), done.isEmpty ? nil : find(done))
    }

    /// The bytes of a file, or nil when there is none.
    func read(_ path: TreePath, limit: Int) throws(VoltError) -> [UInt8]? {
        guard let entry = try resolve(path).entry, entry.information.st_mode & S_IFMT == S_IFREG else {
            return nil
        }
        return try Files.read(entry.file, limit: limit)
    }

    /// What is at a path itself, links not followed.
    func find(_ names: [[UInt8]]) -> Entry? {
        var active = lowers
        var found: Entry?
        for index in names.indices {
            let below = String(
                decoding: Array(names[...index].joined(separator: [UInt8(ascii: "/")])), as: UTF8.self)
            var next: [String] = []
            found = nil
            for layer in active {
                var information = stat()
                let file = "\(layer)/\(below)"
                guard lstat(file, &information) == 0 else { continue }
                let kind = information.st_mode & S_IFMT
                if kind == S_IFCHR, information.st_rdev == 0 { break }
                if found == nil {
                    guard let path = try? Self.path(Array(names[...index])) else { return nil }
                    found = Entry(path: path, information: information, file: file)
                }
                guard kind == S_IFDIR else { break }
                next.append(layer)
                if (try? ExtendedAttributes.names(of: file))?.contains("trusted.overlay.opaque") ?? false {
                    break
                }
            }
            guard let found, index == names.count - 1 || found.isDirectory else { return nil }
            active = next
        }
        return found
    }

    private static func path(_ names: [[UInt8]]) throws(VoltError) -> TreePath {
        try TreePath(Array(names.joined(separator: [UInt8(ascii: "/")])))
    }

    private static func target(of file: String) -> [UInt8] {
        var target = [CChar](repeating: 0, count: 4097)
        let count = readlink(file, &target, 4096)
        return count > 0 ? target[..<count].map { UInt8(bitPattern: $0) } : []
    }
}
