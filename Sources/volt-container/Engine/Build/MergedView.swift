internal import Glibc
internal import VoltArchive
internal import VoltCore
internal import VoltStore
internal import VoltSystem

/// What overlayfs would show of some layers, seen without mounting them.
struct MergedView {
    /// What is at a path.
    struct Entry {
        /// The path without links.
        let path: TreePath
        let information: stat
        /// The file with its bytes, an absolute path of the host; nil when it has none.
        let file: String?
        /// The target of a link.
        let target: [UInt8]

        var isDirectory: Bool { information.st_mode & S_IFMT == S_IFDIR }
    }

    /// A layer as it is kept.
    enum Layer {
        case directory(String)
        case tree(TreeImage)
    }

    /// The topmost first.
    let layers: [Layer]

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
            guard let entry = try find(done + [name]) else {
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
            let target = entry.target
            if target.first == UInt8(ascii: "/") { done = [] }
            for part in target.split(separator: UInt8(ascii: "/")).reversed()
            where part.elementsEqual([UInt8(ascii: ".")]) == false {
                rest.append(Array(part))
            }
        }
        return (try Self.path(done), done.isEmpty ? nil : try find(done))
    }

    /// The bytes of a file, or nil when there is none.
    func read(_ path: TreePath, limit: Int) throws(VoltError) -> [UInt8]? {
        guard let entry = try resolve(path).entry, entry.information.st_mode & S_IFMT == S_IFREG else {
            return nil
        }
        return try entry.file.map { file throws(VoltError) in try Files.read(file, limit: limit) } ?? []
    }

    /// What is at a path itself, links not followed.
    func find(_ names: [[UInt8]]) throws(VoltError) -> Entry? {
        var active = layers
        var found: Entry?
        for index in names.indices {
            let path = try Self.path(Array(names[...index]))
            var next: [Layer] = []
            found = nil
            for layer in active {
                guard let (entry, isOpaque) = try layer.entry(path) else { continue }
                let kind = entry.information.st_mode & S_IFMT
                if kind == S_IFCHR, entry.information.st_rdev == 0 { break }
                if found == nil { found = entry }
                guard kind == S_IFDIR else { break }
                next.append(layer)
                if isOpaque { break }
            }
            guard let found, index == names.count - 1 || found.isDirectory else { return nil }
            active = next
        }
        return found
    }

    private static func path(_ names: [[UInt8]]) throws(VoltError) -> TreePath {
        try TreePath(Array(names.joined(separator: [UInt8(ascii: "/")])))
    }
}

extension MergedView.Layer {
    /// What the layer itself has at a path, and whether that hides what is in the layers below.
    func entry(_ path: TreePath) throws(VoltError) -> (MergedView.Entry, isOpaque: Bool)? {
        switch self {
        case .directory(let layer): return Self.entry(path, Array("\(layer)/".utf8) + path.bytes)
        case .tree(let image):
            return try ImageStore.inStore {
                guard let node = try image.node(path.names) else { return nil }
                var information = stat()
                information.st_mode = node.mode
                information.st_uid = node.user
                information.st_gid = node.group
                information.st_size = off_t(node.size)
                information.st_rdev = dev_t(node.device)
                let target = node.kind == S_IFLNK ? try image.target(of: node) : []
                return (
                    MergedView.Entry(
                        path: path, information: information, file: image.path(of: node), target: target),
                    node.isOpaque
                )
            }
        }
    }

    /// - Parameter file: where it is on the host, any bytes.
    private static func entry(_ path: TreePath, _ file: [UInt8]) -> (MergedView.Entry, isOpaque: Bool)? {
        let name = (file + [0]).map { CChar(bitPattern: $0) }
        var information = stat()
        guard lstat(name, &information) == 0 else { return nil }
        var target: [UInt8] = []
        if information.st_mode & S_IFMT == S_IFLNK {
            var buffer = [CChar](repeating: 0, count: 4097)
            let count = readlink(name, &buffer, 4096)
            if count > 0 { target = buffer[..<count].map { UInt8(bitPattern: $0) } }
        }
        let isOpaque =
            information.st_mode & S_IFMT == S_IFDIR
            && (try? ExtendedAttributes.names(of: file))?.contains("trusted.overlay.opaque") ?? false
        return (
            MergedView.Entry(
                path: path, information: information, file: String(validating: file, as: UTF8.self),
                target: target),
            isOpaque
        )
    }
}
