internal import CVoltSystem
internal import Glibc
internal import VoltArchive
public import VoltCore
internal import VoltOCI
internal import VoltSystem

/// Brings images into the store.
public struct ImageImporter: Sendable {
    /// What an import made.
    public struct Outcome: Sendable {
        /// The image.
        public let image: Image
        /// What was left out, for people.
        public let notes: [String]
    }

    /// Settings that take the place of the image's own.
    public struct Overrides: Sendable {
        /// The entrypoint, or nil.
        public var entrypoint: [String]?
        /// The command, or nil.
        public var command: [String]?
        /// Variables as `NAME=value`.
        public var environment: [String] = []
        /// The working directory, or nil.
        public var workingDirectory: String?
        /// The user, or nil.
        public var user: String?
        /// Ports such as `80` or `80/tcp`.
        public var exposedPorts: [String] = []

        /// Nothing changed.
        public init() {}
    }

    private let store: ImageStore
    private let limits: ArchiveLimits

    /// - Parameter store: where the images go.
    public init(store: ImageStore) {
        self.store = store
        limits = ArchiveLimits()
    }

    /// Imports a directory tree, a tar archive in any compression, or an OCI image layout as a directory or
    /// in an archive.
    ///
    /// - Parameters:
    ///   - path: absolute, or `-` for standard input.
    ///   - name: the name of the image, or nil to take it from the layout or the name of the file.
    public func importImage(from path: String, name: String?, overrides: Overrides) throws(VoltError)
        -> Outcome
    {
        let reference = try name.map { name throws(VoltError) in try ImageReference(name) }
        let outcome = try store.using { () throws(VoltError) in
            try importImage(from: path, reference, overrides)
        }
        guard let reason = store.knownLayerForm()?.reason else { return outcome }
        return Outcome(
            image: outcome.image,
            notes: outcome.notes + [
                "images share no files on this host, since trees cannot be mounted: \(reason)"
            ])
    }

    private func importImage(from path: String, _ reference: ImageReference?, _ overrides: Overrides)
        throws(VoltError) -> Outcome
    {
        let fallback = path == "-" ? nil : Self.name(ofFile: path)
        if path != "-", Files.isDirectory(path) {
            if OCILayout.isLayout(path) {
                return try importLayout(path, reference, fallback, overrides)
            }
            return try importTree(path, reference, fallback, overrides)
        }
        return try importArchive(path, reference, fallback, overrides)
    }

    private func importTree(
        _ path: String, _ reference: ImageReference?, _ fallback: String?, _ overrides: Overrides
    ) throws(VoltError) -> Outcome {
        let name = try self.name(reference, nil, fallback)
        let temporary = try store.makeTemporary()
        do throws(VoltError) {
            let copy = try TreeCopy(source: path, writer: try TreeWriter(root: temporary))
            try copy.add(.root, as: .root)
            try copy.finishWriting()
            let layer = copy.finish()
            try store.adopt(
                temporary, as: layer,
                information: LayerInformation(
                    size: copy.bytes, skipped: copy.skipped, created: store.clock.now()))
            let image = try store.commit(
                layers: [layer], config: Self.apply(overrides, to: ImageConfig()), names: [name])
            return Outcome(image: image, notes: Self.notes(copy.skippedExamples, copy.skipped))
        } catch {
            try? Files.removeTree(temporary)
            throw error
        }
    }

    private func importArchive(
        _ path: String, _ reference: ImageReference?, _ fallback: String?, _ overrides: Overrides
    ) throws(VoltError) -> Outcome {
        let descriptor = path == "-" ? 0 : volt_open(path, O_RDONLY, 0)
        guard descriptor >= 0 else { throw SystemError.current.during("cannot open '\(path)'") }
        defer { if descriptor != 0 { close(descriptor) } }
        let shown = path == "-" ? "standard input" : path
        let temporary = try store.makeTemporary()
        do throws(VoltError) {
            let result = try Tar.unpack(descriptor: descriptor, name: shown, into: temporary, limits: limits)
            guard result.entries > 0 else {
                throw VoltError(.failed, "cannot read '\(shown)': the archive is empty")
            }
            if OCILayout.isLayout(temporary) {
                let outcome = try importLayout(temporary, reference, fallback, overrides)
                try Files.removeTree(temporary)
                return outcome
            }
            if Files.exists("\(temporary)/manifest.json"),
                try Files.list(temporary).contains(where: { $0.hasSuffix(".json") && $0.count > 60 })
            {
                throw VoltError(
                    .failed, "'\(shown)' is an archive in the old format of 'docker save'",
                    hint: "save it as an OCI archive, such as with 'podman save --format oci-archive'")
            }
            let name = try self.name(reference, nil, fallback)
            try store.adopt(
                temporary, as: result.digest,
                information: LayerInformation(
                    size: result.bytes, skipped: result.skipped, created: store.clock.now()))
            let image = try store.commit(
                layers: [result.digest], config: Self.apply(overrides, to: ImageConfig()), names: [name])
            return Outcome(image: image, notes: Self.notes(result.skippedExamples, result.skipped))
        } catch {
            try? Files.removeTree(temporary)
            throw error
        }
    }

    /// Imports an OCI image layout; layers that are in the store need not be in it.
    func importLayout(_ path: String, as stored: String) throws(VoltError) -> Outcome {
        try importLayout(path, try ImageReference(stored), nil, Overrides())
    }

    private func importLayout(
        _ path: String, _ reference: ImageReference?, _ fallback: String?, _ overrides: Overrides
    ) throws(VoltError) -> Outcome {
        let layout = OCILayout(directory: path)
        let contents = try layout.contents(architecture: Self.architecture)
        guard let config = contents.config else {
            throw VoltError(
                .failed, "'\(path)' has an artifact and no image", hint: "take it in with 'volt cas import'")
        }
        let name = try self.name(reference, contents.name, fallback)
        var notes: [String] = []
        var layers: [Digest] = []
        for layer in contents.layers {
            guard let diffID = layer.diffID else { continue }
            if !store.hasLayer(diffID) { notes += try unpack(layer, as: diffID, of: path) }
            layers.append(diffID)
        }
        let image = try store.commit(
            layers: layers, config: Self.apply(overrides, to: Self.config(config.config)), names: [name])
        return Outcome(image: image, notes: notes)
    }

    private func unpack(_ layer: OCILayout.Layer, as diffID: Digest, of path: String) throws(VoltError)
        -> [String]
    {
        let root = volt_open(path, O_RDONLY | O_DIRECTORY, 0)
        guard root >= 0 else { throw SystemError.current.during("cannot open '\(path)'") }
        defer { close(root) }
        let descriptor = volt_open_beneath(root, OCILayout.path(of: layer.blob), O_RDONLY | O_NONBLOCK, 0)
        guard descriptor >= 0 else { throw SystemError.current.during("cannot open layer '\(layer.blob)'") }
        defer { close(descriptor) }
        return try unpack(layer, as: diffID, from: descriptor)
    }

    /// Unpacks a layer, which is kept only when all of its bytes are those of its digests.
    ///
    /// - Parameter part: what of the descriptor it is; nil is all.
    func unpack(
        _ layer: OCILayout.Layer, as diffID: Digest, from descriptor: Int32, part: ArchivePart? = nil
    ) throws(VoltError) -> [String] {
        let temporary = try store.makeTemporary()
        do throws(VoltError) {
            var options = UnpackOptions()
            options.isVerified = true
            let result = try Tar.unpack(
                descriptor: descriptor, name: "layer \(layer.blob.short)", into: temporary, limits: limits,
                options: options, part: part)
            guard result.compressedDigest == layer.blob, result.compressedCount == layer.size else {
                throw VoltError(
                    .refused, "layer '\(layer.blob)' has other bytes than its digest says",
                    hint: "fetch the image again")
            }
            guard result.digest == diffID else {
                throw VoltError(
                    .refused,
                    "layer '\(layer.blob)' unpacks to '\(result.digest)', and the image says '\(diffID)'",
                    hint: "fetch the image again")
            }
            try store.adopt(
                temporary, as: diffID,
                information: LayerInformation(
                    size: result.bytes, skipped: result.skipped, created: store.clock.now()))
            return Self.notes(result.skippedExamples, result.skipped)
        } catch {
            try? Files.removeTree(temporary)
            throw error
        }
    }

    /// The name asked for, else that of the layout, else that of the file.
    private func name(_ reference: ImageReference?, _ annotated: String?, _ fallback: String?)
        throws(VoltError) -> String
    {
        if let reference { return reference.stored }
        if let annotated {
            // The annotation is a whole name, or only a tag.
            if annotated.contains("/") || annotated.contains(":"), let parsed = try? ImageReference(annotated)
            {
                return parsed.stored
            }
            if let fallback, let parsed = try? ImageReference("\(fallback):\(annotated)") {
                return parsed.stored
            }
        }
        if let fallback, let parsed = try? ImageReference(fallback) { return parsed.stored }
        throw VoltError(.usage, "the image needs a name", hint: "give it one with --name NAME[:TAG]")
    }

    /// `/x/busybox.tar.gz` gives `busybox`.
    private static func name(ofFile path: String) -> String {
        var name = Files.lastComponent(of: path).lowercased()
        for suffix in [".gz", ".bz2", ".xz", ".zst", ".lz4", ".lzma", ".lz", ".tgz", ".tar", ".oci"]
        where name.hasSuffix(suffix) {
            name.removeLast(suffix.count)
        }
        return name
    }

    private static func apply(_ overrides: Overrides, to source: ImageConfig) -> ImageConfig {
        var config = source
        if let entrypoint = overrides.entrypoint { config.entrypoint = entrypoint }
        if let command = overrides.command { config.command = command }
        for entry in overrides.environment {
            guard let equals = entry.firstIndex(of: "=") else { continue }
            config.setEnvironment(String(entry[..<equals]), String(entry[entry.index(after: equals)...]))
        }
        if let directory = overrides.workingDirectory { config.workingDirectory = directory }
        if let user = overrides.user { config.user = user }
        let ports = overrides.exposedPorts.map { $0.contains("/") ? $0 : "\($0)/tcp" }
        config.exposedPorts += ports.filter { !config.exposedPorts.contains($0) }
        return config
    }

    private static func notes(_ examples: [String], _ count: Int) -> [String] {
        guard count > 0 else { return [] }
        let more = count > examples.count ? ["and \(count - examples.count) more"] : []
        return examples.map { "left out \($0)" } + more
    }

    private static func config(_ source: OCIConfig.Container?) -> ImageConfig {
        var config = ImageConfig()
        guard let source else { return config }
        config.entrypoint = source.entrypoint ?? []
        config.command = source.command ?? []
        config.environment = source.environment ?? []
        config.workingDirectory = source.workingDirectory ?? ""
        config.user = source.user ?? ""
        config.exposedPorts = (source.ports ?? [:]).keys.map { $0.contains("/") ? $0 : "\($0)/tcp" }.sorted()
        config.labels = source.labels ?? [:]
        config.stopSignal = source.stopSignal
        return config
    }

    /// The processor of this host, as Go writes it.
    static var architecture: String { OCILayout.hostArchitecture }
}
