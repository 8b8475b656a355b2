internal import Glibc
internal import VoltArchive
internal import VoltCore
internal import VoltOCI
public import VoltStore
internal import VoltSystem

/// Writes what tags name as an OCI image layout, which other tools read.
public enum LayoutExport {
    /// Exports tags: a tree as an image of one layer, a blob as an artifact.
    ///
    /// - Parameters:
    ///   - directory: empty or not there.
    ///   - progress: told with the bytes written.
    /// - Returns: what was left out, since a tar archive does not have it.
    /// - Throws: `VoltError`; `notFound` for a tag that is not there.
    public static func run(
        _ store: ContentStore, _ names: [String], to directory: String, progress: (UInt64) -> Void = { _ in }
    ) throws -> [String] {
        let tags = try names.map { name in
            guard let tag = try store.tag(name) else {
                throw VoltError(
                    .notFound, "there is no tag '\(name)'", hint: "list them with 'volt cas tags'")
            }
            return tag
        }
        var layout = try OCILayoutWriter(directory: directory)
        do { return try write(tags, of: store, to: &layout, progress) } catch {
            layout.discard()
            throw error
        }
    }

    private static func write(
        _ tags: [Tag], of store: ContentStore, to layout: inout OCILayoutWriter, _ progress: (UInt64) -> Void
    ) throws -> [String] {
        var notes: [String] = []
        var bytes: UInt64 = 0
        for tag in tags {
            switch tag.kind {
            case .blob:
                try store.get(tag.digest, to: layout.path(of: tag.digest))
                let size = try store.size(of: tag.digest)
                bytes = bytes.addingClamped(size)
                progress(bytes)
                try layout.addArtifact(named: tag.name, blob: tag.digest, size: size)
            case .tree:
                let writer = try TarWriter(path: layout.temporary)
                try store.eachWholeEntry(of: tag.digest) { path, entry in
                    guard let kind = try kind(entry, path, &notes) else { return }
                    let content = entry.content
                    try writer.add(path.isEmpty ? Array(".".utf8) : path, kind, attributes(entry)) { body in
                        guard let content else { return }
                        try store.read(content) { part in
                            try body(part)
                            bytes += UInt64(part.count)
                        }
                        progress(bytes)
                    }
                }
                let (digest, size, _) = try writer.finish()
                try layout.keep(digest)
                try layout.addImage(
                    named: tag.name, layer: digest, size: size, architecture: OCILayout.hostArchitecture)
            }
        }
        try layout.finish()
        return notes
    }

    private static func kind(_ entry: TreeEntry, _ path: [UInt8], _ notes: inout [String]) throws
        -> TarWriter.Kind?
    {
        switch entry.kind {
        case .directory: return .directory
        case .file(let size, _): return .file(size: size)
        case .link(let target): return .link(target: target)
        case .hardLink(let target): return .hardLink(target: target)
        case .characterDevice(let major, let minor):
            return .device(kind: UInt32(S_IFCHR), major: major, minor: minor)
        case .blockDevice(let major, let minor):
            return .device(kind: UInt32(S_IFBLK), major: major, minor: minor)
        case .pipe: return .pipe
        case .socket:
            if notes.count < 100 { notes.append("\(String(shown: path)): a socket") }
            return nil
        }
    }

    /// As many of the names in a mark as an attribute of a directory has room for, whatever its file system.
    private static func short(_ mark: [UInt8]) -> [UInt8] {
        var room = 2000
        let lines = mark.split(separator: 10).filter { line in
            guard line.count < room else { return false }
            room -= line.count + 1
            return true
        }
        return lines.flatMap { $0 + [10] }
    }

    private static func attributes(_ entry: TreeEntry) -> FileAttributes {
        var extended: [[UInt8]: [UInt8]] = [:]
        for attribute in entry.extended where FileAttributes.isKept(attribute.name) {
            extended[attribute.name] = attribute.value
        }
        if let mark = entry.incompleteMark { extended[LayoutImport.mark] = short(mark) }
        return FileAttributes(
            mode: entry.mode, user: entry.user, group: entry.group,
            modified: (entry.seconds, Int64(entry.nanoseconds)), extended: extended)
    }
}

extension TreeEntry {
    fileprivate var content: Digest? {
        if case .file(let size, let digest) = kind, size > 0 { return digest.digest }
        return nil
    }
}
