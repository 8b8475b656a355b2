internal import Synchronization
internal import VoltCore

/// The bytes of manifests that were asked for lately. A digest names them, so they are never wrong.
final class ManifestCache: Sendable {
    private struct State {
        var bytes: [Digest: [UInt8]] = [:]
        /// In the order in which they came.
        var order: [Digest] = []
        var next = 0
        var size = 0
    }

    /// Bytes of all, and of the largest that is kept.
    private static let limit = 8 << 20
    private static let largest = 256 << 10
    private let state = Mutex(State())

    subscript(digest: Digest) -> [UInt8]? {
        get { state.withLock { $0.bytes[digest] } }
        set {
            guard let newValue, newValue.count <= Self.largest else { return }
            state.withLock { state in
                guard state.bytes.updateValue(newValue, forKey: digest) == nil else { return }
                state.order.append(digest)
                state.size += newValue.count + 200
                while state.size > Self.limit, state.next < state.order.count {
                    if let old = state.bytes.removeValue(forKey: state.order[state.next]) {
                        state.size -= old.count + 200
                    }
                    state.next += 1
                }
                if state.next > 1000, state.next * 2 > state.order.count {
                    state.order.removeFirst(state.next)
                    state.next = 0
                }
            }
        }
    }
}
