internal import ContainerSecrets
internal import VoltArchive
internal import VoltCore
internal import VoltManifest
internal import VoltSystem
internal import VoltWorkload

/// The definition of a workload, with the images that it names.
struct Definition {
    let kind: ContainerKind
    let request: WorkloadRequest
    /// Gets lines for people, each with its stream.
    let log: @Sendable (_ stream: String, String) -> Void

    private var workload: Name { request.workload }

    func prepare() async throws -> WorkloadPlan {
        let manifest = try definition()
        switch manifest.source {
        case .image(let reference):
            do throws(VoltError) {
                if let image = try earlier(manifest) { return try complete(manifest, image) }
            } catch {
                // What is named by its digest is the same wherever it comes from.
                guard error.code == .notFound, ImageSource.isPinned(reference) else { throw error }
                let image = try await pulled(reference)
                guard image.digest == request.images[reference] else { throw error }
                return try complete(manifest, image)
            }
            return try complete(manifest, try await pulled(reference))
        case .build(let path):
            if let image = try earlier(manifest) { return try complete(manifest, image) }
            return try complete(manifest, try await build(try TreePath(inRoot: path)))
        case .rootfs: return try complete(manifest, nil)
        }
    }

    private func pulled(_ reference: String) async throws -> Image {
        let log = log
        return try await kind.images.image(reference) { log("stderr", "pulling '\(reference)'") }
    }

    /// The plan without fetching or building; nil while its image is still to be built.
    func resolve() throws -> WorkloadPlan? {
        let manifest = try definition()
        if let image = try earlier(manifest) { return try complete(manifest, image) }
        switch manifest.source {
        case .image(let reference): return try complete(manifest, try kind.images.local.image(reference))
        case .build(let path):
            let context = try context(try TreePath(inRoot: path))
            let builder = ImageBuilder(images: kind.images.local, runner: kind.runtime)
            guard let image = try builder.builtBefore(ImageBuilder.Request(context: context)) else {
                return nil
            }
            return try complete(manifest, image)
        case .rootfs: return try complete(manifest, nil)
        }
    }

    /// The image that this definition ran with before, where the request says so.
    private func earlier(_ manifest: ContainerManifest) throws(VoltError) -> Image? {
        switch manifest.source {
        case .image(let reference):
            guard let digest = request.images[reference] else { return nil }
            return try kind.images.image(reference, of: digest)
        case .build(let path):
            let name = WorkloadPlan.buildName(path)
            guard let digest = request.images[name] else { return nil }
            guard let image = try kind.images.store.image(digest) else {
                throw ImageSource.isGone(digest, named: name)
            }
            return image
        case .rootfs: return nil
        }
    }

    /// What the manifest says, or a bare Voltfile.
    private func definition() throws -> ContainerManifest {
        let name = Files.lastComponent(of: request.file)
        let bytes = try readDefinition()
        guard name != Voltfile.fileName else {
            return ContainerManifest(source: .build(path: try directoryOfDefinition()))
        }
        let manifest = try ContainerManifest(bytes: bytes, file: name)
        if let named = manifest.name, named != workload {
            throw VoltError(
                .failed, "\(name): the manifest is of workload '\(named)', not of '\(workload)'",
                hint: "remove 'name' or change it")
        }
        return manifest
    }

    private func complete(_ manifest: ContainerManifest, _ image: Image?) throws(VoltError) -> WorkloadPlan {
        let name = Files.lastComponent(of: request.file)
        var manifest = manifest
        if name == Voltfile.fileName, let image {
            // A bare Voltfile publishes what it exposes under the same number.
            manifest.ports = image.config.exposedPorts.filter { $0.hasSuffix("/tcp") }.compactMap {
                UInt16($0.dropLast(4))
            }
            .map { PublishedPort(hostPort: $0, containerPort: $0) }
        }
        let plan = try WorkloadPlan(
            manifest, image: image, workload: workload, source: request.source, revision: request.revision,
            file: name)
        try check(plan.spec.secrets ?? [], manifest, name)
        return plan
    }

    /// Decrypts once before anything is touched: a secret that cannot be had fails here.
    private func check(_ secrets: [Secret], _ manifest: ContainerManifest, _ file: String) throws(VoltError) {
        let opened = try OpenedSecrets(
            secrets, keys: AgeKeys.of(workload, configuration: kind.configuration))
        for name in opened.variables.keys.sorted() where manifest.environment[name] != nil {
            throw VoltError(
                .failed, "\(file): the variable '\(name)' is set by 'env' and by a secret",
                hint: "take it out of one of them")
        }
    }

    /// Where the Voltfile is in the source: its directory is the context.
    private func directoryOfDefinition() throws(VoltError) -> String {
        let directory = Files.parent(of: request.file)
        if directory == request.source { return "" }
        guard directory.hasPrefix("\(request.source)/") else {
            throw VoltError(
                .usage, "'\(request.file)' is not in '\(request.source)'",
                hint: "give the directory with the Voltfile as --source")
        }
        return String(directory.dropFirst(request.source.count + 1))
    }

    /// The bytes of the definition. In the source, it is reached through no link: what another file of the
    /// host says would otherwise show up in errors.
    private func readDefinition() throws(VoltError) -> [UInt8] {
        guard request.file.hasPrefix("\(request.source)/") else {
            return try Files.read(request.file, limit: 1 << 20)
        }
        let path = String(request.file.dropFirst(request.source.count + 1))
        return try Files.read(beneath: request.source, path, limit: 1 << 20)
    }

    /// - Parameter context: a directory of the source, relative to it.
    /// - Returns: the same, absolute.
    private func context(_ context: TreePath) throws -> String {
        guard try TreeCopy(source: request.source, writer: nil).isDirectory(context) ?? false else {
            throw VoltError(.failed, "'\(context.text)' is not a directory of the source")
        }
        return context.names.isEmpty ? request.source : "\(request.source)/\(context.text)"
    }

    private func build(_ path: TreePath) async throws -> Image {
        let context = try context(path)
        let builder = ImageBuilder(images: kind.images, runner: kind.runtime)
        let log = log
        return try await builder.build(ImageBuilder.Request(context: context)) { event in
            switch event {
            case .step(let number, let count, let text, let isCached):
                log("stdout", "step \(number)/\(count): \(text)\(isCached ? " CACHED" : "")")
            case .output(let stream, let line): log(stream, line)
            }
        }
    }
}
