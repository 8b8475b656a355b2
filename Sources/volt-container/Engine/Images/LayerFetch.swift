internal import ContainerTransfer
internal import Dispatch
internal import Synchronization
internal import VoltArchive
internal import VoltCore
internal import VoltOCI

/// Fetches layers and unpacks them while they come, several at a time. The helper writes them into a pipe; nothing of their
/// compressed form is kept. A layer gets its name when its last byte came and both of its digests are right.
struct LayerFetch {
    /// What came.
    struct Outcome {
        var layers = 0
        /// As they travelled.
        var bytes: UInt64 = 0
        /// What was left out, for people.
        var notes: [String] = []
    }

    /// Layers that come at a time: one unpacks while another waits for the network.
    static let parallel = 3

    let store: ImageStore
    let helper: RegistryHelper
    let reference: OCIReference

    /// What the connections have in common.
    private final class Work: Sendable {
        struct State {
            var failure: VoltError?
            var done: UInt64 = 0
            var notes: [String] = []
        }
        let state = Mutex(State())
    }

    private typealias Missing = (layer: OCILayout.Layer, diffID: Digest)

    /// - Parameters:
    ///   - layers: of an image; those that are in the store are not fetched.
    ///   - progress: told how many bytes came, of how many, on any thread.
    func run(_ layers: [OCILayout.Layer], progress: @escaping @Sendable (UInt64, UInt64) -> Void)
        throws(VoltError) -> Outcome
    {
        var seen: Set<Digest> = []
        var missing: [Missing] = []
        for layer in layers {
            guard let diffID = layer.diffID, !store.hasLayer(diffID), seen.insert(diffID).inserted else {
                continue
            }
            missing.append((layer, diffID))
        }
        guard !missing.isEmpty else { return Outcome() }
        let total = missing.reduce(UInt64(0)) { $0 &+ $1.layer.size }
        let shares = Self.shares(missing)
        let work = Work()
        DispatchQueue.concurrentPerform(iterations: shares.count) { index in
            do throws(VoltError) { try fetch(shares[index], total, work, progress) } catch {
                // The first failure counts: the others end because of it.
                work.state.withLock { $0.failure = $0.failure ?? error }
            }
        }
        let end = work.state.withLock { $0 }
        if let failure = end.failure { throw failure }
        return Outcome(layers: missing.count, bytes: total, notes: end.notes)
    }

    /// What each connection fetches, the largest first, so that all of them end at about the same time.
    private static func shares(_ missing: [Missing]) -> [[Missing]] {
        var shares = [[Missing]](repeating: [], count: min(parallel, missing.count))
        var loads = [UInt64](repeating: 0, count: shares.count)
        for layer in missing.sorted(by: { $0.layer.size > $1.layer.size }) {
            let least = loads.indices.min { loads[$0] < loads[$1] } ?? 0
            shares[least].append(layer)
            loads[least] &+= layer.layer.size
        }
        return shares
    }

    private func fetch(
        _ share: [Missing], _ total: UInt64, _ work: Work,
        _ progress: @escaping @Sendable (UInt64, UInt64) -> Void
    ) throws(VoltError) {
        let importer = ImageImporter(store: store)
        let blobs = share.map {
            OCIDescriptor(
                mediaType: $0.layer.mediaType, digest: $0.layer.blob.description, size: $0.layer.size)
        }
        try helper.stream(.fetch(blobs), of: reference) { output throws(VoltError) in
            for (layer, diffID) in share {
                let part = ArchivePart(count: layer.size) {
                    work.state.withLock { $0.failure != nil }
                } progress: { count in
                    let done = work.state.withLock { state in
                        state.done &+= UInt64(count)
                        return state.done
                    }
                    progress(done, total)
                }
                let notes = try importer.unpack(layer, as: diffID, from: output, part: part)
                work.state.withLock { $0.notes += notes }
            }
        }
    }
}
