internal import GitopsNotifications
internal import Glibc
internal import VoltCore
internal import VoltSystem
internal import VoltWorkload
internal import VoltWorkloadTool

/// Removes what deleted pipelines have left on disk: their secret, their mirror and their snapshots. A delete
/// that was killed halfway is finished here by the next one, or by the next start of the server.
struct Cleanup {
    let journal: Journal
    let paths: GitopsPaths
    let kinds: WorkloadKinds

    /// Removes what nothing needs any more. A snapshot stays for as long as a workload that was kept may mount it.
    func run() throws(VoltError) {
        let all = try journal.deletedPipelines()
        let mounted = all.filter { deleted in
            deleted.workload.map { exists($0, kind: deleted.kind) } ?? false
        }
        for deleted in all {
            let isMounted = mounted.contains(deleted)
            // A pipeline that was created meanwhile has the same secret file, and writes it in such a transaction.
            try journal.transaction { () throws(VoltError) in
                let pipelines = try journal.pipelines()
                let isBack = pipelines.contains { $0.name == deleted.pipeline }
                if !isBack {
                    try HookSecretFiles(paths, deleted.pipeline).remove()
                    let hostKey = paths.hostKey(deleted.pipeline)
                    if Files.exists(hostKey) { try Files.remove(hostKey) }
                }
                if !pipelines.contains(where: { $0.repo == deleted.repo }) {
                    try discard(paths.mirror(of: deleted.repo))
                }
                // The snapshots of a pipeline that is back are its own again, and it prunes them.
                if !isBack, !mounted.contains(where: { $0.pipeline == deleted.pipeline }) {
                    try discard(paths.snapshots(deleted.pipeline))
                }
                // Until another workload that runs from them is gone, the pipeline that is back prunes nothing.
                let isAnothers = isMounted && !pipelines.contains { $0.workload == deleted.workload }
                if isBack ? !isAnothers : !isMounted { try journal.forget(deleted) }
            }
        }
        try clearUncreated()
        try clearAddresses()
        // A large tree takes its time, which no delivery should wait for.
        for name in try Files.list(paths.trash) { try Files.removeTree("\(paths.trash)/\(name)") }
    }

    /// Removes the secrets and host keys of pipelines whose `create` was killed before it was in the journal, and
    /// what a killed change has half written. Both are written within a transaction: none is under way during
    /// this one.
    private func clearUncreated() throws(VoltError) {
        try journal.transaction { () throws(VoltError) in
            let names = Set(try journal.pipelines().map(\.name.text))
            for directory in [paths.secrets, paths.hostKeys] {
                for file in try Files.list(directory) {
                    let pipeline = String(file.prefix { $0 != "." })
                    if !names.contains(pipeline) || file.hasSuffix(".tmp") {
                        try Files.remove("\(directory)/\(file)")
                    }
                }
            }
        }
    }

    /// Removes the addresses that no pipeline names. One that is being created writes its own before it is in
    /// the journal, so that the young ones stay.
    private func clearAddresses() throws(VoltError) {
        let files = try Files.list(paths.addresses).map { "\(paths.addresses)/\($0)" }
        guard !files.isEmpty else { return }
        let named = Set(try journal.pipelines().flatMap { $0.notify?.targets.map(\.addressFile) ?? [] })
        for file in files where !named.contains(file) {
            var information = stat()
            guard stat(file, &information) == 0,
                time(nil).subtractingClamped(information.st_mtim.tv_sec) > 3600
            else {
                continue
            }
            try Files.remove(file)
        }
    }

    private func discard(_ path: String) throws(VoltError) {
        guard Files.exists(path) else { return }
        try Files.makeDirectory(paths.trash, mode: 0o700)
        try Files.move(path, to: "\(paths.trash)/\(UInt64.random(in: 0...UInt64.max))")
    }

    /// Whether a workload may still run; one whose tool cannot tell is taken to.
    private func exists(_ workload: Name, kind: String?) -> Bool {
        guard let kind, let tool = try? kinds.find(kind) else { return true }
        do throws(VoltError) { return try tool.status(of: workload).state != .absent } catch {
            return error.code != .notFound
        }
    }
}
