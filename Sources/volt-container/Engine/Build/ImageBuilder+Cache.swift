internal import VoltCore
internal import VoltSystem

extension ImageBuilder {
    /// The image that a build would come to, when every step of it was done before; nil when a step is still to
    /// be done. Nothing is built.
    func builtBefore(_ request: Request) throws -> Image? {
        let bytes = try Files.read(beneath: request.context, request.file, limit: 1 << 20)
        let voltfile = try Voltfile(bytes: bytes, file: request.file)
        var state = BuildState(request: request, voltfile: voltfile)
        let ignore = try IgnoreRules.read(context: request.context)
        for step in voltfile.steps {
            let layer: Digest
            switch step.action {
            case .copy(let copy):
                layer = try CopyPlan(copy, step: step, state: state, ignore: ignore, store: store).layer()
            case .run(let command): layer = try state.runKey(command)
            case .workdir(let directory):
                try enter(directory, step, &state)
                guard let missing = try layerOfWorkingDirectory(step, state) else { continue }
                layer = missing.layer
            default:
                try carryOut(step, &state)
                continue
            }
            guard store.hasLayer(layer) else { return nil }
            state.layers.append(layer)
        }
        guard !state.layers.isEmpty else { return nil }
        return try store.image(try ImageManifest.digest(layers: state.layers, config: state.config))
    }
}
