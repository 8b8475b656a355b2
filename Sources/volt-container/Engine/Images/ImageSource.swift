internal import Dispatch
internal import Synchronization
public import VoltCore

/// Where commands get images from: the local store, and what is missing there from the registry that its name begins with.
/// A name without a host is of the local store alone.
public struct ImageSource: Sendable {
    let store: ImageStore
    private let puller: ImagePuller?

    /// - Parameters:
    ///   - store: the local one.
    ///   - puller: nil when nothing is to be pulled.
    public init(store: ImageStore, puller: ImagePuller? = nil) {
        self.store = store
        self.puller = puller
    }

    /// The image of a name, or of a digest in the local store. **Blocks** while it is pulled.
    ///
    /// - Parameter pulls: told before an image is pulled.
    public func image(_ name: String, pulls: () -> Void = {}) throws(VoltError) -> Image {
        do throws(VoltError) { return try store.resolve(name) } catch {
            guard error.code == .notFound, let puller, Self.hasHost(name) else { throw error }
            pulls()
            return try puller.pull(name).image
        }
    }

    /// The same for a task, which ends at once when it is cancelled: the helper that pulls ends with this process.
    func image(_ name: String, pulls: @escaping @Sendable () -> Void) async throws -> Image {
        guard puller != nil, (try? store.resolve(name)) == nil else { return try image(name) }
        let shared = Shared()
        DispatchQueue.global().async {
            let outcome: Result<Image, VoltError>
            do throws(VoltError) { outcome = .success(try image(name, pulls: pulls)) } catch {
                outcome = .failure(error)
            }
            shared.result.withLock { $0 = outcome }
        }
        while true {
            if let outcome = shared.result.withLock({ $0 }) { return try outcome.get() }
            try await Task.sleep(for: .milliseconds(2))
        }
    }

    private final class Shared: Sendable {
        let result = Mutex<Result<Image, VoltError>?>(nil)
    }

    /// Whether the first part of a name is a host: it has a dot or a port, or is `localhost`.
    static func hasHost(_ name: String) -> Bool {
        guard let slash = name.firstIndex(of: "/") else { return false }
        let first = name[..<slash]
        return first == "localhost" || first.contains(".") || first.contains(":")
    }
}
