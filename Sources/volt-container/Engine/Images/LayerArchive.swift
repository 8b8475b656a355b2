internal import Glibc
internal import VoltArchive
internal import VoltCore
internal import VoltOCI
internal import VoltStore

/// Writes the tree of a layer as the archive that it is in registries: whiteouts and opaque directories become names that
/// begin with `.wh.` (OCI Image Format Specification 1.1, "layer.md").
enum LayerArchive {
    private static let mark = Array(".wh.".utf8)
    private static let opaque = Array(".wh..wh..opq".utf8)

    static func write(
        _ tree: Digest, of contents: ContentStore, _ compression: LayerCompression, to path: String
    ) throws -> LayerBlob {
        let writer = try TarWriter(path: path, compression: compression)
        try contents.eachWholeEntry(of: tree) { path, entry in
            guard !entry.name.starts(with: mark) else {
                throw VoltError(
                    .failed,
                    "'\(String(shown: path))' cannot be in the layer of an image: its name would take something away",
                    hint: "build the image without it")
            }
            let parent = path.prefix(path.count - entry.name.count)
            if case .characterDevice(0, 0) = entry.kind {
                return try writer.add(
                    parent + mark + entry.name, .file(size: 0), FileAttributes(mode: 0, modified: (0, 0)))
            }
            guard let kind = kind(entry) else { return }
            try writer.add(path.isEmpty ? Array(".".utf8) : path, kind, attributes(entry)) { body in
                if case .file(let size, let digest) = entry.kind, size > 0 {
                    try contents.read(digest.digest) { try body($0) }
                }
            }
            if isOpaque(entry) {
                let place = path.isEmpty ? opaque : path + [UInt8(ascii: "/")] + opaque
                try writer.add(place, .file(size: 0), FileAttributes(mode: 0, modified: (0, 0)))
            }
        }
        let made = try writer.finish()
        return LayerBlob(
            mediaType: compression.mediaType, digest: made.digest, size: made.size, diffID: made.plain,
            made: compression)
    }

    /// Nil for what an archive does not have.
    private static func kind(_ entry: TreeEntry) -> TarWriter.Kind? {
        switch entry.kind {
        case .directory: .directory
        case .file(let size, _): .file(size: size)
        case .link(let target): .link(target: target)
        case .hardLink(let target): .hardLink(target: target)
        case .characterDevice(let major, let minor):
            .device(kind: UInt32(S_IFCHR), major: major, minor: minor)
        case .blockDevice(let major, let minor):
            .device(kind: UInt32(S_IFBLK), major: major, minor: minor)
        case .pipe: .pipe
        case .socket: nil
        }
    }

    private static func isOpaque(_ entry: TreeEntry) -> Bool {
        entry.extended.contains {
            $0.name.elementsEqual("trusted.overlay.opaque".utf8) && $0.value == [UInt8(ascii: "y")]
        }
    }

    private static func attributes(_ entry: TreeEntry) -> FileAttributes {
        var extended: [[UInt8]: [UInt8]] = [:]
        for attribute in entry.extended where FileAttributes.isKept(attribute.name) {
            extended[attribute.name] = attribute.value
        }
        return FileAttributes(
            mode: entry.mode, user: entry.user, group: entry.group,
            modified: (entry.seconds, Int64(entry.nanoseconds)), extended: extended)
    }
}
