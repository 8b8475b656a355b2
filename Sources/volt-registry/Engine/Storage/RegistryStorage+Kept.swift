internal import Glibc
internal import VoltOCI
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

    private func markPath(_ name: OCIRepositoryName) -> String { "\(directory(name))/_upstream" }

    /// Notes that a manifest was asked for, so that those go first that nobody wants.
    func use(_ digest: OCIDigest, in name: OCIRepositoryName) {
        let path = "\(directory(name))/_manifests/\(digest)"
        var information = stat()
        // Once in ten minutes is enough for rules in days.
        guard stat(path, &information) == 0, time(nil) - information.st_mtim.tv_sec > 600 else { return }
        utimensat(AT_FDCWD, path, nil, 0)
    }
}
