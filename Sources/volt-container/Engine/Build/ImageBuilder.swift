internal import VoltArchive
public import VoltCore
internal import VoltCrypto
internal import VoltSystem

/// Runs the command of a RUN step.
public protocol StepRunner: Sendable {
    /// Runs a container in the foreground whose writable layer is a given directory.
    ///
    /// - Parameters:
    ///   - spec: what to run; it has no ports, volumes or limits.
    ///   - upper: an empty directory that holds afterwards what the command changed.
    ///   - output: called with `stdout` or `stderr` and each line.
    /// - Returns: the exit code of the command.
    func run(_ spec: ContainerSpec, upper: String, output: @escaping @Sendable (String, String) -> Void)
        async throws -> Int32
}

/// What a build says while it goes on.
public enum BuildEvent: Sendable, Equatable {
    /// A step begins, or is taken from the cache.
    case step(number: Int, count: Int, text: String, isCached: Bool)
    /// A line that a RUN step printed; the stream is `stdout` or `stderr`.
    case output(stream: String, line: String)
}

/// A RUN step that ended with another code than 0.
public struct BuildStepFailure: Error, Sendable {
    /// What to tell people: file, line, instruction.
    public let error: VoltError
    /// The exit code of the command.
    public let status: Int32
}

/// Builds images from Voltfiles.
public struct ImageBuilder: Sendable {
    let store: ImageStore
    private let images: ImageSource
    let runner: any StepRunner

    /// What to build.
    public struct Request: Sendable {
        /// The directory that COPY reads from, absolute.
        public var context: String
        /// The Voltfile, relative to the context.
        public var file: String
        /// The names of the image, such as `web:latest`.
        public var names: [String] = []
        /// Values for ARG.
        public var arguments: [String: String] = [:]

        /// - Parameters: see the properties.
        public init(context: String, file: String = "Voltfile") {
            self.context = context
            self.file = file
        }
    }

    /// - Parameters:
    ///   - images: where those of FROM are; layers go into its store.
    ///   - runner: carries out RUN.
    public init(images: ImageSource, runner: any StepRunner) {
        self.images = images
        store = images.store
        self.runner = runner
    }

    /// Builds an image; a step whose inputs are those of an earlier build is taken from the store.
    ///
    /// - Throws: `VoltError`, or `BuildStepFailure` when a RUN step failed.
    public func build(_ request: Request, progress: @escaping @Sendable (BuildEvent) -> Void) async throws
        -> Image
    {
        let bytes = try Files.read(beneath: request.context, request.file, limit: 1 << 20)
        let voltfile = try Voltfile(bytes: bytes, file: request.file)
        try store.prepare()
        let share = try FileLock.share(store.useLockPath)
        var state = BuildState(request: request, voltfile: voltfile)
        let ignore = try IgnoreRules.read(context: request.context)
        for (index, step) in voltfile.steps.enumerated() {
            let report = { (isCached: Bool) in
                progress(
                    .step(number: index + 1, count: voltfile.steps.count, text: step.text, isCached: isCached)
                )
            }
            switch step.action {
            case .copy(let copy):
                let plan = try CopyPlan(copy, step: step, state: state, ignore: ignore, store: store)
                let layer = try plan.layer()
                report(store.hasLayer(layer))
                if !store.hasLayer(layer) { try plan.write(as: layer) }
                state.layers.append(layer)
            case .run(let command):
                let layer = try state.runKey(command)
                report(store.hasLayer(layer))
                if !store.hasLayer(layer) {
                    try await run(command, step: step, state: state, as: layer, progress: progress)
                }
                state.layers.append(layer)
            default:
                report(false)
                try carryOut(step, &state)
            }
        }
        if state.layers.isEmpty { state.layers = [try emptyLayer()] }
        let image = try store.commit(layers: state.layers, config: state.config, names: request.names)
        share.keep()
        return image
    }

    func carryOut(_ step: Voltfile.Step, _ state: inout BuildState) throws(VoltError) {
        switch step.action {
        case .from(let image):
            let name = try state.expand(image, step)
            state.enterStage()
            guard name != "scratch" else { return }
            let base: Image
            do { base = try images.image(name) } catch {
                throw VoltError(
                    error.code, "\(state.voltfile.file):\(step.line): \(error.message)", hint: error.hint)
            }
            state.layers = base.layers
            state.config = base.config
        case .workdir(let text):
            try enter(text, step, &state)
            try makeWorkingDirectory(step, &state)
        default: try state.apply(step)
        }
    }

    private func emptyLayer() throws(VoltError) -> Digest {
        let layer = SHA256Hasher.digest(of: "volt empty layer".utf8)
        if store.hasLayer(layer) { return layer }
        let directory = try store.makeTemporary()
        try store.adopt(
            directory, as: layer,
            information: LayerInformation(size: 0, skipped: 0, created: store.clock.now()))
        return layer
    }

    func enter(_ directory: String, _ step: Voltfile.Step, _ state: inout BuildState) throws(VoltError) {
        let path = try state.expand(directory, step)
        state.config.workingDirectory = Files.absolute(path, from: state.workingDirectory)
    }

    /// The layer with the working directory, where the image does not have that yet.
    func layerOfWorkingDirectory(_ step: Voltfile.Step, _ state: BuildState) throws(VoltError) -> (
        layer: Digest, path: TreePath, view: MergedView
    )? {
        let view = try store.view(state.layers)
        let place = try view.resolve(try TreePath(inRoot: state.workingDirectory))
        if place.path.names.isEmpty { return nil }
        if let entry = place.entry {
            guard entry.isDirectory else {
                throw VoltError(
                    .failed,
                    "\(state.voltfile.file):\(step.line): '\(state.workingDirectory)' is not a directory in the image"
                )
            }
            return nil
        }
        return (state.key("workdir", [place.path.text]), place.path, view)
    }

    /// The working directory exists in the image, as Docker has it.
    private func makeWorkingDirectory(_ step: Voltfile.Step, _ state: inout BuildState) throws(VoltError) {
        guard let (layer, path, view) = try layerOfWorkingDirectory(step, state) else { return }
        if !store.hasLayer(layer) {
            let directory = try store.makeTemporary()
            let writer = try TreeWriter(root: directory)
            writer.attributesOfMissingDirectory = { view.attributes(of: $0) }
            try writer.directory(path, FileAttributes(mode: 0o755))
            try store.adopt(
                directory, as: layer,
                information: LayerInformation(size: 0, skipped: 0, created: store.clock.now()))
        }
        state.layers.append(layer)
    }

    private func run(
        _ command: Voltfile.Command, step: Voltfile.Step, state: BuildState, as layer: Digest,
        progress: @escaping @Sendable (BuildEvent) -> Void
    ) async throws {
        let upper = try store.makeTemporary()
        do {
            // An image needs at least one layer to be a root file system.
            let layers = state.layers.isEmpty ? [try emptyLayer()] : state.layers
            let name = try Name("build-\(layer.short)-\(UInt16.random(in: 0...UInt16.max))", of: "container")
            var spec = ContainerSpec(
                name: name, image: "build", lowers: layers.reversed().map(store.lower),
                command: command.words)
            spec.environment = state.environment
            spec.workingDirectory = state.workingDirectory
            spec.user = state.config.user
            spec.hostname = "build"
            let status = try await runner.run(spec, upper: upper) { stream, line in
                progress(.output(stream: stream, line: line))
            }
            guard status == 0 else {
                throw BuildStepFailure(
                    error: VoltError(
                        .failed,
                        "\(state.voltfile.file):\(step.line): '\(step.text.prefix(120))' ended with \(status)"
                    ),
                    status: status)
            }
            let copy = try TreeCopy(source: upper, writer: nil)
            try copy.add(.root, as: .root)
            try store.adopt(
                upper, as: layer,
                information: LayerInformation(size: copy.bytes, skipped: 0, created: store.clock.now()))
        } catch {
            try? Files.removeTree(upper)
            throw error
        }
    }
}
