internal import Glibc
internal import VoltCore
internal import VoltSystem
internal import VoltWorkloadTool

/// Removes the workload of a commit that has no manifest any more, when the pipeline says so.
struct Pruning {
    let journal: Journal
    let paths: GitopsPaths
    let kinds: WorkloadKinds

    /// How a commit without a manifest ended.
    enum Outcome: Equatable {
        case removed
        /// There was no workload.
        case nothing

        /// The outcome in words.
        func text(_ workload: Name) -> String {
            switch self {
            case .removed: "no manifest: workload '\(workload)' was removed"
            case .nothing: "no manifest, and no workload to remove"
            }
        }
    }

    /// Whether a tree without a manifest means that the workload goes.
    ///
    /// - Throws: `VoltError` with code `refused` when the whole tree is empty, or the pipeline's directory is not in
    ///   it, and that is not allowed.
    static func isMeant(by directory: String, _ pipeline: Pipeline) throws(VoltError) -> Bool {
        guard pipeline.control?.prunes == true, !ManifestFinder.exists(in: directory, path: pipeline.path)
        else { return false }
        if pipeline.control?.allowsEmpty != true, let lack = try lack(of: directory, path: pipeline.path) {
            throw VoltError(
                .refused, "the commit has \(lack), so workload '\(pipeline.workload)' is kept",
                hint: "when that is meant, run 'volt gitops control --name \(pipeline.name) --allow-empty'")
        }
        return true
    }

    /// What a tree lacks that more likely went by mistake; nil when the place of the manifest has other files. No link
    /// is followed on the way to it.
    private static func lack(of directory: String, path: String) throws(VoltError) -> String? {
        if try Files.list(directory).isEmpty { return "no files at all" }
        var place = directory
        for part in path.split(separator: "/") {
            place += "/\(part)"
            var information = stat()
            guard lstat(place, &information) == 0, information.st_mode & S_IFMT == S_IFDIR else {
                return "no directory '\(path)'"
            }
        }
        return try Files.list(place).isEmpty ? "no files in '\(path)'" : nil
    }

    /// Removes the workload when the manifest has vanished from a snapshot.
    ///
    /// - Parameter deployed: the name of the snapshot that was deployed last.
    /// - Returns: nil when there is a manifest, or when the pipeline does not prune: then the commit is
    ///   deployed, or fails, as any other.
    /// - Throws: `VoltError` with code `refused` when the tree or the directory is empty: more likely a mistake than a
    ///   wish.
    func run(_ snapshot: Snapshot, _ pipeline: Pipeline, deployed: String?) throws(VoltError) -> Outcome? {
        guard try Self.isMeant(by: snapshot.directory, pipeline) else { return nil }
        guard let deployed else { return .nothing }
        let reader = WorkloadReader(paths: paths, kinds: kinds)
        // The commit that was deployed last may be one without a manifest itself.
        let old = "\(paths.snapshots(pipeline.name))/\(deployed)"
        if Files.isDirectory(old), !ManifestFinder.exists(in: old, path: pipeline.path) { return .nothing }
        let kind = try reader.kind(of: pipeline, in: deployed)
        // There may be none any more: it was removed by hand or by an attempt that was cut off.
        try KindChange(journal: journal, reader: reader).removeAll(kind, pipeline)
        return .removed
    }
}
