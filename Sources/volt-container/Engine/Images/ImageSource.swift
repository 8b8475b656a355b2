internal import Dispatch
internal import Synchronization
public import VoltCore
internal import VoltOCI
internal import VoltTrust

/// Where commands get images from: the local store, and what is missing there from the registry that its name begins with.
/// A name without a host is of the local store alone.
public struct ImageSource: Sendable {
    let store: ImageStore
    private let puller: ImagePuller?
    private let trust: ImageTrust?

    /// - Parameters:
    ///   - store: the local one.
    ///   - puller: nil when nothing is to be pulled.
    ///   - trust: which images of registries are taken; nil for all.
    public init(store: ImageStore, puller: ImagePuller? = nil, trust: ImageTrust? = nil) {
        self.store = store
        self.puller = puller
        self.trust = trust
    }

    /// The same without registries.
    var local: ImageSource { ImageSource(store: store, trust: trust) }

    /// The image of a name, or of a digest in the local store, when the trust policy has nothing against it. **Blocks**
    /// while it is pulled.
    ///
    /// - Parameter pulls: told before an image is pulled.
    public func image(_ name: String, pulls: () -> Void = {}) throws(VoltError) -> Image {
        switch try look(for: name) {
        case .here(let image): return image
        case .elsewhere(let puller, let doubt):
            pulls()
            do throws(VoltError) { return try puller.pull(name).image } catch {
                guard let doubt, error.code == .tryAgain else { throw error }
                throw VoltError(
                    error.code, "\(doubt.message), and its registry cannot be asked: \(error.message)",
                    hint: error.hint ?? doubt.hint)
            }
        }
    }

    /// The image that a name meant when it was deployed before, whatever it means now, when the trust policy has
    /// nothing against it.
    ///
    /// - Throws: `VoltError`; code `notFound` when it is not in the store any more.
    func image(_ name: String, of digest: Digest) throws(VoltError) -> Image {
        guard let image = try store.image(digest) else { throw Self.isGone(digest, named: name) }
        guard let policy = try trust?.policy() else { return image }
        guard Self.hasHost(name) else {
            try check(image, named: name, policy)
            return image
        }
        switch policy.decision(try OCIReference(name)) {
        case .accept: return image
        case .refuse(let rule): throw TrustPolicy.refusal(of: name, rule: rule)
        case .signed(let requirement):
            let stored = try ImageReference(name).stored
            let all = store.pulled()
            let records = [all[stored], all[PulledImage.earlierName(stored, digest)]].compactMap { $0 }
            if records.contains(where: { $0.image == digest && $0.meets(requirement) }) { return image }
            // The rule may be newer than the pull.
            if all[stored]?.image == digest, try self.image(name).digest == digest { return image }
            throw requirement.refusal(
                of: "\(name) (\(digest.short))", found: "no signature was verified when it was pulled")
        }
    }

    /// Whether a name says which image it is, and of which registry.
    static func isPinned(_ name: String) -> Bool {
        hasHost(name) && (try? ImageReference(name))?.digest != nil
    }

    static func isGone(_ digest: Digest, named name: String) -> VoltError {
        VoltError(
            .notFound,
            "the image that '\(name)' was at that deploy, \(digest), is no longer in the store",
            hint: "import or pull it again, or deploy a newer commit")
    }

    private enum Place {
        case here(Image)
        /// - Parameter doubt: why the image that is here is not enough; nil when there is none.
        case elsewhere(ImagePuller, doubt: VoltError?)
    }

    private func look(for name: String) throws(VoltError) -> Place {
        // Read first: a policy that cannot be understood lets nothing pass.
        let policy = try trust?.policy()
        if Self.hasHost(name) {
            let reference = try OCIReference(name)
            switch policy?.decision(reference) ?? .accept {
            case .accept: break
            case .refuse(let rule): throw TrustPolicy.refusal(of: name, rule: rule)
            case .signed(let requirement):
                let pulled = store.pulled()[try ImageReference(name).stored]
                let image = try stored(name)
                if let image, let pulled, pulled.image == image.digest, pulled.meets(requirement) {
                    return .here(image)
                }
                let doubt = requirement.refusal(
                    of: name, found: "no signature was verified when it was pulled")
                // Its signature may have come meanwhile, or the rule is newer than the image.
                if let puller { return .elsewhere(puller, doubt: image == nil ? nil : doubt) }
                throw image == nil ? try missing(name) : doubt
            }
        }
        if let image = try stored(name) {
            if !Self.hasHost(name), let policy { try check(image, named: name, policy) }
            return .here(image)
        }
        if let puller, Self.hasHost(name) { return .elsewhere(puller, doubt: nil) }
        return .here(try store.resolve(name))
    }

    /// Of an image that is named without a registry, the names by which it was pulled count, and one of them is enough.
    /// One that never was pulled is of this host.
    private func check(_ image: Image, named name: String, _ policy: TrustPolicy) throws(VoltError) {
        let pulled = store.pulled().filter { $0.value.image == image.digest }
        var refusal: VoltError?
        for (stored, record) in pulled.sorted(by: { $0.key < $1.key }) {
            switch policy.decision(try OCIReference(stored)) {
            case .accept: return
            case .refuse(let rule): refusal = TrustPolicy.refusal(of: "\(name) (\(stored))", rule: rule)
            case .signed(let requirement):
                if record.meets(requirement) { return }
                refusal = requirement.refusal(
                    of: "\(name) (\(stored))", found: "no signature was verified when it was pulled")
            }
        }
        if let refusal { throw refusal }
    }

    /// The error for what is not in the store.
    private func missing(_ name: String) throws(VoltError) -> VoltError {
        do throws(VoltError) { _ = try store.resolve(name) } catch { return error }
        return VoltError(.tryAgain, "image '\(name)' came just now", hint: "run the command again")
    }

    /// Nil when it is not in the store.
    private func stored(_ name: String) throws(VoltError) -> Image? {
        do throws(VoltError) { return try store.resolve(name) } catch {
            guard error.code == .notFound else { throw error }
            return nil
        }
    }

    /// The same for a task, which ends at once when it is cancelled: the helper that pulls ends with this process.
    func image(_ name: String, pulls: @escaping @Sendable () -> Void) async throws -> Image {
        guard case .elsewhere = try look(for: name) else { return try image(name) }
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
