internal import Glibc
internal import VoltCore
internal import VoltOCI
internal import VoltStore
internal import VoltSystem

/// Repositories that are kept of other registries.
///
///     references/registry/NAME/_upstream      the other registry
extension RegistryStorage {
    /// Says that a repository is one of another registry.
    func mark(_ name: OCIRepositoryName, as host: String) throws {
        let path = markPath(name)
        if Files.exists(path) { return }
        try within(name, "") { _ in try replace(path, host.utf8, in: name) }
    }

    /// Whether a repository is one of another registry.
    func isKept(_ name: OCIRepositoryName) -> Bool { Files.exists(markPath(name)) }

    /// The files of a directory and the bytes of the blobs that they name, those first that were used the longest ago.
    func leastUsed(_ directory: String) throws -> [(path: String, size: UInt64)] {
        var found: [(path: String, size: UInt64, used: Int)] = []
        for entry in try Files.list(directory) {
            let path = "\(directory)/\(entry)"
            var information = stat()
            guard let digest = try? Digest(entry), stat(path, &information) == 0 else { continue }
            found.append((path, (try? store.size(of: digest)) ?? 0, information.st_mtim.tv_sec))
        }
        return found.sorted { $0.used < $1.used }.map { ($0.path, $0.size) }
    }

    /// Whether a repository was pushed here, so that it is none of another registry whatever its name.
    func isOwn(_ name: OCIRepositoryName) -> Bool { exists(name) && !isKept(name) }

    private func markPath(_ name: OCIRepositoryName) -> String { "\(directory(name))/_upstream" }

    /// Notes that a manifest was asked for, so that those go first that nobody wants.
    func use(_ digest: OCIDigest, in name: OCIRepositoryName) {
        let path = "\(directory(name))/_manifests/\(digest)"
        var information = stat()
        // Once in ten minutes is enough for rules in days.
        guard stat(path, &information) == 0, time(nil).subtractingClamped(information.st_mtim.tv_sec) > 600
        else { return }
        utimensat(AT_FDCWD, path, nil, 0)
    }
}
