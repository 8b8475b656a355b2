internal import Glibc
internal import Synchronization
internal import VoltCore
internal import VoltOCI
internal import VoltServer
internal import VoltSystem

/// A blob that is being fetched: clients get it while it comes.
final class BlobFetch: Sendable {
    /// The file that grows.
    struct Growing {
        /// The caller's, who closes it.
        let descriptor: Int32
        let size: UInt64
        /// How far it is.
        let growth: HTTPGrowth
        /// The same, but for nothing until all of it was verified.
        let verified: HTTPGrowth
    }
    typealias Begun = Result<Growing, VoltError>
    typealias Waiting = @Sendable (Begun) -> Void

    private enum State {
        case beginning([Waiting])
        case under(way: Int32, size: UInt64)
        case over(VoltError)
    }

    private let state = Mutex(State.beginning([]))
    private let growth = HTTPGrowth()
    private let verified = HTTPGrowth()

    deinit { state.withLock { if case .under(let descriptor, _) = $0 { close(descriptor) } } }

    /// Calls the argument once it is known how large the blob is.
    func whenBegun(_ body: @escaping Waiting) {
        let known: Begun? = state.withLock { state in
            switch state {
            case .beginning(let waiting):
                state = .beginning(waiting + [body])
                return nil
            case .under(let descriptor, let size): return self.begun(descriptor, size)
            case .over(let error): return .failure(error)
            }
        }
        if let known { body(known) }
    }

    private func begun(_ descriptor: Int32, _ size: UInt64) -> Begun {
        let copy = fcntl(descriptor, F_DUPFD_CLOEXEC, 0)
        guard copy >= 0 else {
            return .failure(SystemError.current.during("cannot open a blob that is fetched"))
        }
        return .success(Growing(descriptor: copy, size: size, growth: growth, verified: verified))
    }

    /// - Parameter descriptor: of the file; closed with this fetch.
    func begin(_ descriptor: Int32, size: UInt64) {
        let waiting: [Waiting] = state.withLock { state in
            guard case .beginning(let waiting) = state else { return [] }
            state = .under(way: descriptor, size: size)
            return waiting
        }
        for body in waiting { body(begun(descriptor, size)) }
    }

    /// Says how much of the file can be sent.
    func reach(_ count: UInt64) { growth.reach(count) }

    /// Says that all of it is there and verified.
    func end(_ count: UInt64) {
        growth.reach(count)
        verified.reach(count)
    }

    func fail(_ error: VoltError) {
        let waiting: [Waiting] = state.withLock { state in
            guard case .beginning(let waiting) = state else { return [] }
            state = .over(error)
            return waiting
        }
        for body in waiting { body(.failure(error)) }
        growth.fail()
        verified.fail()
    }
}

/// The blobs that are being fetched, each once however many ask for it.
final class BlobFetches: Sendable {
    private struct Key: Hashable {
        let name: OCIRepositoryName
        let digest: OCIDigest
    }

    private let fetches = Mutex<[Key: BlobFetch]>([:])

    /// The fetch of a blob, and whether it is the caller who does it.
    func fetch(_ digest: OCIDigest, in name: OCIRepositoryName) -> (fetch: BlobFetch, isNew: Bool) {
        fetches.withLock { fetches in
            let key = Key(name: name, digest: digest)
            if let fetch = fetches[key] { return (fetch, false) }
            let fetch = BlobFetch()
            fetches[key] = fetch
            return (fetch, true)
        }
    }

    /// Forgets a fetch that is over.
    func remove(_ digest: OCIDigest, in name: OCIRepositoryName) {
        fetches.withLock { $0[Key(name: name, digest: digest)] = nil }
    }
}
