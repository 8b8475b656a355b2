internal import GitopsNotifications
public import VoltCore
internal import VoltSystem
internal import VoltYAML

/// Pipelines as a file, and back.
extension Gitops {
    /// The pipelines of this host as YAML; secrets are named, not written.
    ///
    /// - Parameter name: of the one that is wanted, or nil for all.
    /// - Throws: `VoltError` with code `notFound`.
    public func export(_ name: String?) throws(VoltError) -> String {
        let journal = try journal()
        var pipelines = try journal.pipelines()
        if let name { pipelines = [try journal.pipeline(name)] }
        let node = try PipelineDocument.node(pipelines) { pipeline in
            pipeline.provider.hooks != nil && !pipeline.allowsUnsigned ? paths.secret(pipeline.name) : nil
        }
        return "# Written by 'volt gitops export'. Secrets stay on the host: secretFile says where.\n"
            + YAML.text(node, order: PipelineDocument.order)
    }

    /// What an import would do, decided before anything changes.
    public struct ImportPlan: Sendable {
        /// By name; every pipeline of the file, and those that are deleted.
        public var changes: [PipelineChange]
        let writes: [Write]

        struct Write: Sendable {
            var pipeline: Pipeline
            var isNew: Bool
            /// The new secret, or nil where the one that is there stays or none is wanted.
            var secret: [UInt8]?
            var removesSecret: Bool
        }
    }

    /// Reads a file of pipelines and compares it with those of this host.
    ///
    /// - Parameters:
    ///   - file: its name, for errors.
    ///   - directory: the absolute path that relative ones in the file are seen from.
    ///   - prunes: whether pipelines that are not in the file are deleted.
    /// - Throws: `VoltError`, with file, line and column where the file is wrong.
    public func planImport(_ bytes: [UInt8], file: String, directory: String, prunes: Bool) throws(VoltError)
        -> ImportPlan
    {
        let entries = try PipelineDocument.read(bytes, file: file, directory: directory, now: clock.now())
        guard !prunes || !entries.isEmpty else {
            throw VoltError(
                .refused, "'\(file)' has no pipeline, so --prune would delete them all",
                hint: "delete them one by one with 'volt gitops delete', if that is meant")
        }
        let present = try journal().pipelines()
        let named = Set(entries.map(\.pipeline.name))
        let kept = prunes ? [] : present.filter { !named.contains($0.name) }
        let all = kept + entries.map(\.pipeline)
        var changes: [PipelineChange] = []
        var writes: [ImportPlan.Write] = []
        for entry in entries {
            let old = present.first { $0.name == entry.pipeline.name }
            do throws(VoltError) {
                try check(entry.pipeline, among: all)
                for file in entry.pipeline.files where !Files.exists(file.path) {
                    throw VoltError(
                        .notFound, "'\(file.path)', which '\(file.setting)' names, does not exist",
                        hint: "put the file there; relative paths are seen from '\(directory)'")
                }
                let write = try write(of: entry, in: old)
                var properties = try PipelineChange.properties(
                    from: old ?? write.pipeline, to: write.pipeline)
                if write.secret != nil || write.removesSecret, old != nil {
                    properties.append(
                        .init(key: "secret", old: "", new: write.secret == nil ? "none" : "another"))
                }
                let action: PipelineChange.Action =
                    old == nil ? .create : properties.isEmpty ? .unchanged : .update
                changes.append(.init(name: entry.pipeline.name.text, action: action, properties: properties))
                if action != .unchanged { writes.append(write) }
            } catch { throw entry.failure(error) }
        }
        if prunes {
            for old in present where !named.contains(old.name) {
                changes.append(.init(name: old.name.text, action: .delete, properties: []))
            }
        }
        changes.sort { $0.name < $1.name }
        return ImportPlan(changes: changes, writes: writes)
    }

    /// How a pipeline of the file is written, with its secret.
    private func write(of entry: PipelineDocument.Entry, in old: Pipeline?) throws(VoltError)
        -> ImportPlan.Write
    {
        var pipeline = entry.pipeline
        if let old { pipeline.createdAt = old.createdAt }
        let own = paths.secret(pipeline.name)
        let present = try? Files.read(own, limit: 4096)
        var secret: [UInt8]?
        if let file = entry.secretFile, file != own || present == nil {
            secret = try Files.read(file, limit: 4096)
            while secret?.last == 10 || secret?.last == 13 { secret?.removeLast() }
        } else if !entry.allowsUnsigned, pipeline.provider.hooks != nil {
            // The one of this host stays.
            secret = present
        }
        try check(secret, insecure: entry.allowsUnsigned, of: pipeline)
        pipeline.allowsUnsigned = secret == nil && pipeline.provider.hooks != nil
        let changes = secret != nil && secret != present
        return ImportPlan.Write(
            pipeline: pipeline, isNew: old == nil, secret: changes ? secret : nil,
            removesSecret: secret == nil && present != nil)
    }

    /// Does what a plan says: pipelines are written as one, then those that go are deleted; workloads go on.
    public func apply(_ plan: ImportPlan) throws(VoltError) {
        let journal = try journal()
        try journal.transaction { () throws(VoltError) in
            for write in plan.writes {
                if write.isNew {
                    try journal.add(write.pipeline)
                } else {
                    try journal.replace(write.pipeline)
                }
                let files = HookSecretFiles(paths, write.pipeline.name)
                if let secret = write.secret {
                    try files.set(secret)
                } else if write.removesSecret {
                    try files.remove()
                }
            }
        }
        wakeServer()
        for change in plan.changes where change.action == .delete {
            _ = try delete(change.name, removesWorkload: false)
        }
    }
}
