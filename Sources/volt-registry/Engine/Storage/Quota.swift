internal import Glibc
internal import Synchronization
internal import VoltCore
internal import VoltOCI

/// The bytes of blobs that a repository may have.
final class Quota: Sendable {
    private struct Usage {
        var changed = timespec()
        var bytes: UInt64 = 0
    }
    private struct State {
        var usages: [OCIRepositoryName: Usage] = [:]
        /// Of blobs that are being added at the moment.
        var reserved: [OCIRepositoryName: UInt64] = [:]
    }

    private let limit: UInt64
    private let state = Mutex(State())

    /// - Parameter limit: bytes of each repository.
    init(limit: UInt64) { self.limit = limit }

    /// Adds a blob by the body, when there is room for it.
    ///
    /// - Throws: `RegistryError` when there is none.
    func adding<Result>(
        _ bytes: UInt64, to name: OCIRepositoryName, in storage: any Repositories, _ body: () throws -> Result
    ) throws -> Result {
        let usage = try usage(name, storage)
        let hasRoom = state.withLock { state in
            let taken = state.reserved[name, default: 0]
            guard usage.addingClamped(taken).addingClamped(bytes) <= limit else { return false }
            state.reserved[name] = taken + bytes
            return true
        }
        guard hasRoom else {
            throw RegistryError.denied(
                "the repository has \(usage) of the \(limit) bytes that it may have, and no room for \(bytes) more"
            )
        }
        defer {
            state.withLock { state in
                let left = state.reserved[name, default: bytes] - bytes
                state.reserved[name] = left == 0 ? nil : left
            }
        }
        return try body()
    }

    /// What the blobs have that are there: counted anew when somebody, this process or another one, added or removed one.
    private func usage(_ name: OCIRepositoryName, _ storage: any Repositories) throws -> UInt64 {
        // What a server far away has is counted each time.
        guard let storage = storage as? RegistryStorage else { return try storage.usage(of: name).bytes }
        var information = stat()
        guard stat("\(storage.directory(name))/_blobs", &information) == 0 else { return 0 }
        let changed = information.st_mtim
        if let known = state.withLock({ $0.usages[name] }), known.changed.tv_sec == changed.tv_sec,
            known.changed.tv_nsec == changed.tv_nsec
        {
            return known.bytes
        }
        let bytes = try storage.usage(of: name).bytes
        state.withLock { state in
            if state.usages.count > 10_000 { state.usages.removeAll() }
            state.usages[name] = Usage(changed: changed, bytes: bytes)
        }
        return bytes
    }
}
