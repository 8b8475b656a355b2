internal import ContainerSecrets
internal import VoltArchive
internal import VoltCore
internal import VoltCrypto
internal import VoltManifest
internal import VoltRollout
internal import VoltSystem
internal import VoltWorkload

/// What a definition comes to on this host.
struct WorkloadPlan {
    /// What is to run; its name is given when it is started.
    var spec: ContainerSpec
    /// The digest over everything that matters to the payload: equal digests need no new container.
    var fingerprint: Digest
    /// The digests of the images, by their names in the manifest; one that is built has the name of `buildName`.
    var images: [String: Digest] = [:]
    /// The workloads that it waits for. They do not matter to the payload.
    var after: [Name]

    /// The default search path of Docker's images, for images that set none.
    private static let searchPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

    /// Puts manifest and image together.
    ///
    /// - Parameters:
    ///   - image: the image, or nil when the root file system is a directory of the source.
    ///   - source: the directory with the source of the workload, absolute.
    ///   - file: the name of the manifest, for errors.
    init(
        _ manifest: ContainerManifest, image: Image?, workload: Name, source: String, revision: String,
        file: String
    ) throws(VoltError) {
        after = manifest.after
        let config = image?.config ?? ImageConfig()
        let command = config.entrypoint + (manifest.command ?? config.command)
        guard !command.isEmpty else {
            throw VoltError(
                .failed, "\(file): nothing says what to run: the image has no command",
                hint: "add CMD to the Voltfile or command to the manifest")
        }
        var contents: [String] = []
        var name = ""
        var lowers = image?.lowers ?? []
        switch manifest.source {
        case .image(let reference):
            name = reference
            images[reference] = image?.digest
        case .build(let path):
            name = Self.builtName(workload)
            images[Self.buildName(path)] = image?.digest
        case .rootfs(let path):
            name = path
            let tree = try TreePath(inRoot: path)
            contents.append(try Self.digest(tree, source, file).description)
            lowers = [tree.names.isEmpty ? source : "\(source)/\(tree.text)"]
        }
        var spec = ContainerSpec(name: workload, image: name, lowers: lowers, command: command)
        spec.imageDigest = image?.digest
        try Self.take(manifest, config, into: &spec)
        spec.workload = workload
        var named = spec
        for volume in manifest.volumes {
            let (mount, content, digest) = try Self.mount(volume, workload, source, file)
            spec.mounts.append(mount)
            named.mounts.append(content)
            if let digest { contents.append(digest.description) }
        }
        if !manifest.secrets.isEmpty {
            spec.secrets = try manifest.secrets.map { secret throws(VoltError) in
                try Self.secret(secret, source, file)
            }
            named.secrets = spec.secrets?.map { secret in
                var secret = secret
                secret.path = ""
                return secret
            }
        }
        // Paths of the source differ from revision to revision; what counts is what is in them.
        if image == nil { named.lowers = [] }
        named.image = ""
        fingerprint = SHA256Hasher.digest(
            of: try JSONFile.encode(named) + Array(contents.joined(separator: "\n").utf8))
        spec.revision = revision
        self.spec = spec
    }

    /// A mount, what of it counts for the fingerprint, and the digest of what is mounted from the source.
    private static func mount(_ volume: VolumeMount, _ workload: Name, _ source: String, _ file: String)
        throws(VoltError) -> (mount: VolumeMount, content: VolumeMount, digest: Digest?)
    {
        var mount = volume
        if volume.isVolume {
            // A dot is in no name, so that no two workloads and volumes share a directory by accident.
            mount.source = "\(workload).\(volume.source)"
            return (mount, mount, nil)
        }
        let tree = try TreePath(inRoot: volume.source)
        mount.source = tree.names.isEmpty ? source : "\(source)/\(tree.text)"
        var content = volume
        content.source = "source"
        return (mount, content, try digest(tree, source, file))
    }

    /// What a spec takes from the manifest, and where that says nothing from the image.
    private static func take(
        _ manifest: ContainerManifest, _ config: ImageConfig, into spec: inout ContainerSpec
    )
        throws(VoltError)
    {
        spec.environment = ["PATH": searchPath].merging(config.environmentByName) { $1 }.merging(
            manifest.environment
        ) { $1 }
        spec.workingDirectory = config.workingDirectory.isEmpty ? "/" : config.workingDirectory
        spec.user = manifest.user ?? config.user
        try AccountNumber.check(spec.user)
        spec.ports = manifest.ports
        spec.limits = manifest.limits
        spec.restart = manifest.restart
        spec.health = manifest.health
        spec.readOnly = manifest.readOnly
        spec.dropCapabilities = manifest.dropCapabilities
        spec.addCapabilities = manifest.addCapabilities
        spec.stopSignal = config.stopSignal ?? "SIGTERM"
    }

    /// The plan for a rollout.
    var rollout: RolloutPlan<ContainerSpec> {
        var plan = RolloutPlan(spec: spec, fingerprint: fingerprint, checksHealth: spec.health != nil)
        plan.after = after
        plan.image = spec.imageDigest
        plan.images = images
        return plan
    }

    /// What the container of a workload calls its image when that was built.
    static func builtName(_ workload: Name) -> String { "\(workload) (built)" }

    /// The name of an image that a directory of the source is built into; no name in a registry is one.
    static func buildName(_ path: String) -> String { "./\(path)" }

    /// The digest of a container's specification: another one means that it is not the container that was started.
    static func digest(of spec: ContainerSpec) throws(VoltError) -> Digest {
        SHA256Hasher.digest(of: try JSONFile.encode(spec))
    }

    /// The digest of what a path of the source holds. A link is refused, because the mount would follow it
    /// out of the source.
    private static func digest(_ path: TreePath, _ source: String, _ file: String) throws(VoltError) -> Digest
    {
        do throws(VoltError) {
            let copy = try TreeCopy(source: source, writer: nil)
            guard try copy.isFileOrDirectory(path) else {
                throw VoltError(.failed, "'\(path.text)' is not a file or directory of the source")
            }
            try copy.add(path, as: .root)
            return copy.finish()
        } catch {
            throw VoltError(
                error.code == .notFound ? .failed : error.code, "\(file): \(error.message)", hint: error.hint)
        }
    }

    /// An encrypted file of the source.
    private static func secret(_ secret: SecretReference, _ source: String, _ file: String)
        throws(VoltError) -> Secret
    {
        let bytes: [UInt8]
        do throws(VoltError) {
            bytes = try Files.read(beneath: source, secret.file, limit: SecretFile.limit)
        } catch {
            throw VoltError(
                error.code == .notFound ? .failed : error.code, "\(file): \(error.message)", hint: error.hint)
        }
        return Secret(
            file: secret.file, path: "\(source)/\(secret.file)", digest: SHA256Hasher.digest(of: bytes),
            use: secret.use)
    }
}
