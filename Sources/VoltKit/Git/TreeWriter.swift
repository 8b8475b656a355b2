internal import CGit2
internal import CVoltSystem
internal import Glibc
internal import VoltCore
internal import VoltSystem

extension GitMirror {
    /// Writes the files of a plan into an empty directory of the caller's own.
    ///
    /// Files get the mode 0644 or 0755 (less the umask), directories 0755, links are made as they are. No
    /// attribute of the repository (`.gitattributes`, filters) has an effect.
    ///
    /// - Throws: `GitDamage`, or `VoltError` when the disk refuses.
    public func write(_ plan: TreePlan, into directory: String) throws {
        let root = volt_open(directory, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, 0)
        guard root >= 0 else { throw SystemError.current.during("cannot open '\(directory)'") }
        var open = [root]
        defer { open.forEach { close($0) } }
        for entry in plan.entries {
            while open.count > entry.depth + 1 { close(open.removeLast()) }
            let parent = open[open.count - 1]
            let name = entry.name.map { CChar(bitPattern: $0) } + [0]
            switch entry.kind {
            case .directory:
                guard mkdirat(parent, name, 0o755) == 0 else { throw Self.failure(entry, directory) }
                let child = volt_openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, 0)
                guard child >= 0 else { throw Self.failure(entry, directory) }
                open.append(child)
            case .link:
                let target = try bytes(of: entry).map { CChar(bitPattern: $0) } + [0]
                guard target.firstIndex(of: 0) == target.count - 1 else {
                    throw VoltError(.refused, "the tree of the commit is refused: a link has a NUL in it")
                }
                guard symlinkat(target, parent, name) == 0 else { throw Self.failure(entry, directory) }
            case .file, .program:
                let mode: mode_t = entry.kind == .program ? 0o755 : 0o644
                let file = volt_openat(parent, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, mode)
                guard file >= 0 else { throw Self.failure(entry, directory) }
                defer { close(file) }
                try read(entry) { bytes in
                    guard Self.writeAll(bytes, to: file) else { throw Self.failure(entry, directory) }
                }
            }
        }
    }

    private func bytes(of entry: TreeEntry) throws -> [UInt8] { try read(entry) { Array($0) } }

    private func read<Result>(_ entry: TreeEntry, _ body: (UnsafeRawBufferPointer) throws -> Result) throws
        -> Result
    {
        do { return try withBytes(of: entry.object, body) } catch let failure as GitFailure {
            throw failure.asDamage(of: "'\(String(decoding: entry.name, as: UTF8.self))'")
        }
    }

    private static func writeAll(_ bytes: UnsafeRawBufferPointer, to file: Int32) -> Bool {
        var offset = 0
        while offset < bytes.count {
            let count = Glibc.write(file, bytes.baseAddress?.advanced(by: offset), bytes.count - offset)
            if count < 0 {
                if errno == EINTR { continue }
                return false
            }
            offset += count
        }
        return true
    }

    private static func failure(_ entry: TreeEntry, _ directory: String) -> VoltError {
        SystemError.current.during(
            "cannot write '\(String(decoding: entry.name, as: UTF8.self))' below '\(directory)'")
    }
}
