internal import ContainerSecrets
internal import VoltArchive
public import VoltCore
internal import VoltManifest
public import VoltSystem
public import VoltWorkload

/// Brings workloads of `kind: container` to what their definition says.
///
/// The order of an apply is: prepare the image, start a new container beside the old one, wait until it is
/// healthy, point the ports to it, write the record, remove the old one. Until the record is written the old
/// container is the workload, and everything else of it is a leftover that the next command removes.
public struct WorkloadApplier: Sendable {
    /// What to apply.
    public struct Request: Sendable {
        /// The workload.
        public var workload: Name
        /// The definition: a manifest or a Voltfile, by its name; absolute.
        public var file: String
        /// The directory with the source, absolute.
        public var source: String
        /// The revision of the source, for people.
        public var revision: String
        /// How long all of it may take.
        public var timeout: Duration
        /// What names of images resolved to when this definition was applied before: those run again, whatever the
        /// names mean now.
        public var images: [String: Digest]

        /// - Parameters: see the properties.
        public init(
            workload: Name, file: String, source: String, revision: String,
            timeout: Duration = .seconds(300), images: [String: Digest] = [:]
        ) {
            self.workload = workload
            self.file = file
            self.source = source
            self.revision = revision
            self.timeout = timeout
            self.images = images
        }
    }

    /// How an apply ended.
    public struct Outcome: Sendable, Equatable {
        /// Deployed or unchanged.
        public let status: ApplyStatus
        /// The container that serves.
        public let generation: String
        /// One line for people.
        public let message: String
        /// What names of images in the definition resolved to.
        public let images: [String: Digest]
    }

    let store: ImageStore
    let images: ImageSource
    let runtime: any WorkloadRuntime
    let records: WorkloadRecords
    let clock: any WallClock
    let aliveFor: Duration
    let configuration: String

    /// - Parameters:
    ///   - images: what is built is put into its store.
    ///   - runtime: the containers.
    ///   - paths: the directories of `volt-container`.
    ///   - clock: for the events.
    ///   - aliveFor: how long a workload without a health check must be alive to count as healthy.
    public init(
        images: ImageSource, runtime: any WorkloadRuntime, paths: HostPaths, clock: any WallClock,
        aliveFor: Duration = .seconds(3)
    ) {
        self.aliveFor = aliveFor
        self.images = images
        store = images.store
        self.runtime = runtime
        records = WorkloadRecords(paths: paths)
        self.clock = clock
        configuration = paths.configuration
    }

    /// Applies a definition. On failure, and when the task is cancelled, the workload is as it was.
    ///
    /// - Parameter events: gets every event but the result.
    /// - Throws: `VoltError`, `BuildStepFailure` or `CancellationError`.
    public func apply(_ request: Request, events: @escaping @Sendable (ApplyEvent) -> Void) async throws
        -> Outcome
    {
        let deadline = ContinuousClock.now + request.timeout
        let lock = try await records.lock(request.workload, until: deadline)
        let run = ApplyRun(applier: self, request: request, deadline: deadline, events: events)
        let outcome = try await run.apply()
        lock.keep()
        return outcome
    }
}

/// One apply, with the workload's lock held.
struct ApplyRun {
    let applier: WorkloadApplier
    let request: WorkloadApplier.Request
    let deadline: ContinuousClock.Instant
    let events: @Sendable (ApplyEvent) -> Void

    private var runtime: any WorkloadRuntime { applier.runtime }
    private var workload: Name { request.workload }

    func apply() async throws -> WorkloadApplier.Outcome {
        let record = try await recover()
        let plan = try await step(.prepare) { try await prepare() }
        if let record, let unchanged = try await unchanged(record, plan) { return unchanged }

        let others = try await runtime.generations(of: workload).compactMap {
            Self.number(of: $0.spec.name, workload)
        }
        let generation = max(record?.generation ?? 0, others.max() ?? 0) + 1
        var spec = plan.spec
        spec.name = try Self.name(workload, generation)
        let applied = AppliedRevision(revision: request.revision, generation: generation)
        let history = AppliedRevision.newest(of: applied.added(to: record))
        do {
            try await step(.start) { try await runtime.start(spec) }
            try await step(.check) {
                try await HealthGate(runtime: runtime, deadline: deadline, aliveFor: applier.aliveFor).wait(
                    for: spec)
            }
            try Task.checkCancellation()
            try await step(.switch) {
                // First: what the record says can be applied again is never collected.
                if let image = spec.imageDigest {
                    try applier.store.pin(image, for: workload, generation: generation)
                }
                try await runtime.publish(workload, to: spec.name)
                var next = WorkloadRecord(
                    generation: generation, container: spec.name, fingerprint: plan.fingerprint,
                    started: try WorkloadPlan.digest(of: spec), revision: request.revision,
                    image: spec.imageDigest, deployed: applier.clock.now())
                next.images = plan.images
                next.history = history
                try applier.records.write(next, workload)
            }
        } catch {
            // In a task of its own, because a cancelled one would be stopped while it cleans up.
            let name = spec.name
            let showsLog = !(error is CancellationError)
            await Task { await abandon(name, record: record, showingLog: showsLog) }.value
            throw error
        }
        // The new container is the workload from here on: nothing below undoes that.
        let name = spec.name
        let kept = Set(history.map(\.generation))
        await Task { await tidy(name, keeping: kept) }.value
        return WorkloadApplier.Outcome(
            status: .deployed, generation: spec.name.text,
            message: "'\(workload)' runs \(request.revision.prefix(12)) as '\(spec.name)'",
            images: plan.images)
    }

    // MARK: - Steps

    /// Removes what a command that died left, and points the ports to the container that is the workload.
    private func recover() async throws -> WorkloadRecord? {
        let record = try applier.records.read(workload)
        let all = try await runtime.generations(of: workload)
        let leftovers = all.filter { $0.spec.name != record?.container }
        guard !leftovers.isEmpty else { return record }
        if let record, all.contains(where: { $0.spec.name == record.container }) {
            try await runtime.publish(workload, to: record.container)
        } else {
            try await runtime.withdraw(workload)
        }
        for leftover in leftovers { try await runtime.remove(leftover.spec.name) }
        return record
    }

    private func prepare() async throws -> WorkloadPlan {
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
        let events = events
        return try await applier.images.image(reference) {
            events(.log(stream: "stderr", line: "pulling '\(reference)'"))
        }
    }

    /// What would be run; nil while its image is still to be built.
    func foresee() throws -> WorkloadPlan? {
        let manifest = try definition()
        if let image = try earlier(manifest) { return try complete(manifest, image) }
        switch manifest.source {
        case .image(let reference): return try complete(manifest, try applier.images.local.image(reference))
        case .build(let path):
            let context = try context(try TreePath(inRoot: path))
            let builder = ImageBuilder(images: applier.images.local, runner: runtime)
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
            return try applier.images.image(reference, of: digest)
        case .build(let path):
            let name = WorkloadPlan.buildName(path)
            guard let digest = request.images[name] else { return nil }
            guard let image = try applier.store.image(digest) else {
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
            secrets, keys: AgeKeys.of(workload, configuration: applier.configuration))
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
        let builder = ImageBuilder(images: applier.images, runner: runtime)
        let events = events
        return try await builder.build(ImageBuilder.Request(context: context)) { event in
            switch event {
            case .step(let number, let count, let text, let isCached):
                events(
                    .log(
                        stream: "stdout", line: "step \(number)/\(count): \(text)\(isCached ? " CACHED" : "")"
                    ))
            case .output(let stream, let line): events(.log(stream: stream, line: line))
            }
        }
    }

    private func unchanged(_ record: WorkloadRecord, _ plan: WorkloadPlan) async throws -> WorkloadApplier
        .Outcome?
    {
        guard record.fingerprint == plan.fingerprint,
            let state = try await runtime.state(of: record.container),
            state.activity == .running, state.health.isWell,
            // Another container of this name, or one that was changed by hand, is replaced.
            try record.started == nil || record.started == WorkloadPlan.digest(of: state.spec)
        else { return nil }
        // A command that died between the record and the switch of the ports is made good here.
        try await runtime.publish(workload, to: record.container)
        var updated = record
        updated.revision = request.revision
        updated.images = plan.images
        updated.history = AppliedRevision(revision: request.revision, generation: record.generation).added(
            to: record)
        if updated != record { try applier.records.write(updated, workload) }
        return WorkloadApplier.Outcome(
            status: .unchanged, generation: record.container.text,
            message: "'\(workload)' already runs this as '\(record.container)'", images: plan.images)
    }

    /// Removes the new container after a failure; the ports point to the old one again.
    private func abandon(_ container: Name, record: WorkloadRecord?, showingLog: Bool) async {
        if showingLog, let lines = try? await runtime.lastLines(of: container, count: 20) {
            for line in lines { events(.log(stream: line.stream, line: line.line)) }
        }
        // What fails here is a leftover, which the next command removes.
        if let record {
            try? await runtime.publish(workload, to: record.container)
        } else {
            try? await runtime.withdraw(workload)
        }
        try? await runtime.remove(container)
    }

    /// Removes the old container, keeps the images of what may be applied again, and drops what nothing needs. What
    /// fails is said, and is made good by the next apply.
    private func tidy(_ container: Name, keeping generations: Set<Int>) async {
        events(.step(.stopOld, .started, at: applier.clock.now()))
        do {
            for state in try await runtime.generations(of: workload) where state.spec.name != container {
                try await runtime.remove(state.spec.name)
            }
            events(.step(.stopOld, .done, at: applier.clock.now()))
            try applier.store.unpin(workload, except: generations, newest: 3)
            try applier.store.collect(inUse: Set(try await runtime.imagesInUse().keys))
        } catch {
            events(
                .log(stream: "stderr", line: "not everything of the old generation is removed yet: \(error)"))
        }
    }

    private func step<Result>(_ step: ApplyStep, _ body: () async throws -> Result) async throws -> Result {
        try Task.checkCancellation()
        events(.step(step, .started, at: applier.clock.now()))
        do {
            guard ContinuousClock.now < deadline else {
                throw VoltError(
                    .failed, "the time of \(DurationText.format(request.timeout)) is over",
                    hint: "give it more with --timeout")
            }
            let result = try await body()
            events(.step(step, .done, at: applier.clock.now()))
            return result
        } catch {
            events(.step(step, .failed, at: applier.clock.now()))
            throw error
        }
    }

    // MARK: - Names

    /// `web-12`; a long name is cut, because a container's name has at most 63 characters.
    static func name(_ workload: Name, _ generation: Int) throws(VoltError) -> Name {
        let suffix = "-\(generation)"
        var base = String(workload.text.prefix(63 - suffix.count))
        while base.hasSuffix("-") { base.removeLast() }
        return try Name(base + suffix, of: "container")
    }

    static func number(of container: Name, _ workload: Name) -> Int? {
        container.text.split(separator: "-").last.flatMap { Int($0) }
    }
}
