internal import FoundationEssentials
public import VoltCore
internal import VoltCrypto
public import VoltSystem

/// The images of this host.
///
/// ```
/// <state>/images/format            the version of this layout
/// <state>/images/names.json        name:tag -> digest
/// <state>/images/pulled.json       what the registries' manifests became, so that nothing is pulled twice
/// <state>/images/documents/H       manifests and configurations as they came, for a push; H is their SHA-256
/// <state>/images/manifests/H.json  layers and configuration; H is the SHA-256 of what defines the image
/// <state>/images/store/            the content store with the files of the layers; tag layers/H keeps a tree
/// <state>/images/layers/H.json     what is known about the layer: its tree, size and age; H is the SHA-256 of the
///                                  archive or tree it came from, or of the inputs of the build step
/// <state>/images/layers/H/         the files of a layer, where this host cannot mount trees
/// <state>/images/tmp/              what is being unpacked
/// ```
///
/// A layer, with whiteouts in the form of overlayfs, is unpacked under tmp, made durable in the store or where it is,
/// and only then gets its name: under that it is whole. Manifests come after
/// their layers and names after their manifests, so a crash at any point leaves at most unused files,
/// which `collect` removes.
public struct ImageStore: Sendable {
    let root: String
    let clock: any WallClock
    let lockPath: String
    /// Where it stands how layers are kept on this host.
    let formPath: String

    /// Opens the store; nothing is written until an image is put into it.
    ///
    /// - Parameters:
    ///   - paths: the directories of `volt-container`.
    ///   - clock: for the time at which an image came.
    /// - Throws: `VoltError` when the store was written by a newer version.
    public init(paths: HostPaths, clock: any WallClock) throws(VoltError) {
        root = "\(paths.state)/images"
        lockPath = "\(paths.state)/images/lock"
        formPath = "\(paths.runtime)/layers"
        self.clock = clock
        guard Files.exists("\(root)/format") else { return }
        try Self.mark(of: root).check(file: try Files.read("\(root)/format", limit: 64))
    }

    /// The image with a name, `sha256:` digest or at least 12 digits of one. The digest is its own, or that of the manifest
    /// that it was pulled by.
    ///
    /// - Throws: `VoltError`; code `notFound` when it is not in the store.
    public func resolve(_ reference: String) throws(VoltError) -> Image {
        let names = try readNames()
        if let digest = try digest(of: reference, names: names), let image = try load(digest, names: names) {
            return image
        }
        throw VoltError(
            .notFound, "image '\(reference)' is not in the local store",
            hint: "pull it with 'volt container pull', or import it with 'volt container import'")
    }

    /// The image with this digest, or nil.
    public func image(_ digest: Digest) throws(VoltError) -> Image? {
        try load(digest, names: try readNames())
    }

    /// Every image, the newest first.
    public func images() throws(VoltError) -> [Image] {
        let names = try readNames()
        var found: [Image] = []
        for digest in try manifestDigests() {
            if let image = try load(digest, names: names) { found.append(image) }
        }
        return found.sorted { ($1.created, $0.digest) < ($0.created, $1.digest) }
    }

    private func digest(of reference: String, names: [String: Digest]) throws(VoltError) -> Digest? {
        if reference.hasPrefix("sha256:") {
            let digest = try Digest(reference)
            if try manifest(digest) != nil { return digest }
            return pulled().values.first { $0.isOf(digest) }?.image
        }
        if let exact = names[reference] { return exact }
        if let parsed = try? ImageReference(reference) {
            let named = names[parsed.stored]
            if let wanted = parsed.digest {
                guard let named, named != wanted else { return named }
                let record = pulled()[parsed.stored]
                return record?.image == named && record?.isOf(wanted) == true ? named : nil
            }
            if let named { return named }
        }
        guard reference.utf8.count >= 12, reference.utf8.count <= 64,
            reference.utf8.allSatisfy({ (48...57).contains($0) || (97...102).contains($0) })
        else {
            // Says what is wrong with a text that is neither.
            _ = try ImageReference(reference)
            return nil
        }
        let matches = try manifestDigests().filter { $0.hex.hasPrefix(reference) }
        guard matches.count <= 1 else {
            throw VoltError(
                .usage, "'\(reference)' is the start of several images' digests",
                hint: "write more of it; 'volt container images' shows them")
        }
        return matches.first
    }

    // MARK: - Reading

    func manifestDigests() throws(VoltError) -> [Digest] {
        try Files.list("\(root)/manifests").compactMap { name in
            name.hasSuffix(".json") ? try? Digest("sha256:\(name.dropLast(5))") : nil
        }
    }

    func manifest(_ digest: Digest) throws(VoltError) -> ImageManifest? {
        let path = "\(root)/manifests/\(digest.hex).json"
        guard Files.exists(path) else { return nil }
        return try JSONFile.read(ImageManifest.self, path)
    }

    private func load(_ digest: Digest, names: [String: Digest]) throws(VoltError) -> Image? {
        guard let manifest = try manifest(digest) else { return nil }
        return Image(
            digest: digest, names: names.filter { $0.value == digest }.map(\.key).sorted(),
            lowers: manifest.layers.reversed().map(lower), config: manifest.config,
            created: manifest.created,
            size: manifest.size, layers: manifest.layers)
    }

    func readNames() throws(VoltError) -> [String: Digest] {
        let path = "\(root)/names.json"
        guard Files.exists(path) else { return [:] }
        return try JSONFile.read([String: Digest].self, path)
    }

    // MARK: - Writing

    /// 2 has layers that are trees.
    private static func mark(of root: String) -> FormatMark {
        FormatMark(2, to: "open image store '\(root)'", code: .failed, hint: "upgrade volt-container")
    }

    /// Makes the directories of the store.
    func prepare() throws(VoltError) {
        // Layers hold setuid programs and files of other users: nobody but root walks in.
        for path in [Files.parent(of: root), root] { try Files.makePrivateDirectory(path) }
        let format = Self.mark(of: root).fileContent
        if let text = try? Files.read("\(root)/format", limit: 64), text == format { return }
        for name in ["layers", "manifests", "tmp"] { try Files.makeDirectory("\(root)/\(name)", mode: 0o755) }
        try Files.replace("\(root)/format", with: format)
    }

    /// Holds off `collect` and other writers of names while the body runs.
    func locked<Result>(_ body: () throws(VoltError) -> Result) throws(VoltError) -> Result {
        try prepare()
        let lock = try FileLock.wait(for: lockPath)
        let result = try body()
        lock.keep()
        return result
    }

    /// Holds off `collect` while the body puts layers into the store that no image refers to yet.
    func using<Result>(_ body: () throws(VoltError) -> Result) throws(VoltError) -> Result {
        try prepare()
        let share = try FileLock.share(useLockPath)
        let result = try body()
        share.keep()
        return result
    }

    /// Puts an image together of layers in the store and names it. An image with the same layers and
    /// configuration is the same image.
    func commit(layers: [Digest], config: ImageConfig, names: [String]) throws(VoltError) -> Image {
        let digest = try ImageManifest.digest(layers: layers, config: config)
        try locked { () throws(VoltError) in
            var size: UInt64 = 0
            for layer in layers {
                guard hasLayer(layer) else {
                    throw VoltError(
                        .failed, "layer '\(layer.short)' is not in the store", hint: "run the command again")
                }
                size = size.addingClamped(try layerSize(layer))
            }
            if try manifest(digest) == nil {
                let manifest = ImageManifest(layers: layers, config: config, created: clock.now(), size: size)
                try JSONFile.write(manifest, "\(root)/manifests/\(digest.hex).json")
            }
            guard !names.isEmpty else { return }
            var all = try readNames()
            let before = all
            for name in names { all[name] = digest }
            if all != before { try JSONFile.write(all, "\(root)/names.json") }
        }
        guard let image = try image(digest) else {
            throw VoltError(.failed, "image '\(digest.short)' is gone")
        }
        return image
    }

    /// Takes a name away, or the image itself when it is given by digest or has no other name.
    ///
    /// - Parameters:
    ///   - reference: as for `resolve`.
    ///   - inUse: the digests of the images that containers use, with the name of such a container.
    /// - Returns: the names taken away, and the digest when the image itself was removed.
    /// - Throws: `VoltError`; code `conflict` when a container uses the image.
    public func remove(_ reference: String, inUse: [Digest: String]) throws(VoltError) -> (
        untagged: [String], deleted: Digest?
    ) {
        let image = try resolve(reference)
        return try locked { () throws(VoltError) in
            var names = try readNames()
            let mine = names.filter { $0.value == image.digest }.map(\.key).sorted()
            let byName = names[reference] != nil ? reference : (try? ImageReference(reference))?.stored
            if let byName, mine.contains(byName), mine.count > 1 {
                names[byName] = nil
                try JSONFile.write(names, "\(root)/names.json")
                return ([byName], nil)
            }
            if let container = inUse[image.digest] {
                throw VoltError(
                    .conflict, "image '\(reference)' is used by container '\(container)'",
                    hint: "remove the container first with 'volt container rm \(container)'")
            }
            // Whoever writes the name itself knows it.
            if byName.map(mine.contains) != true,
                let pin = mine.first(where: { $0.hasPrefix(Self.pinPrefix) })
            {
                throw VoltError(
                    .conflict,
                    "image '\(reference)' is kept as '\(pin)': its workload can be rolled back to it",
                    hint: "remove the workload first, or that name with 'volt container rmi \(pin)'")
            }
            for name in mine { names[name] = nil }
            try JSONFile.write(names, "\(root)/names.json")
            try Files.remove("\(root)/manifests/\(image.digest.hex).json")
            return (mine, image.digest)
        }
    }
}

/// What defines an image, and what is known about it.
struct ImageManifest: Codable, Sendable {
    /// The lowest first.
    var layers: [Digest]
    var config: ImageConfig
    var created: Timestamp
    var size: UInt64

    private struct Definition: Encodable {
        let layers: [Digest]
        let config: ImageConfig
    }

    /// The digest over layers and configuration: equal content is the same image, whenever it was made.
    static func digest(layers: [Digest], config: ImageConfig) throws(VoltError) -> Digest {
        SHA256Hasher.digest(of: try JSONFile.encode(Definition(layers: layers, config: config)))
    }
}
