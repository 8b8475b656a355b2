internal import VoltCore
internal import VoltSystem
internal import VoltWorkload
internal import VoltWorkloadTool

/// Brings back the workloads that should run after the host was restarted, unless the unit of their kind has done so,
/// which runs `volt-<kind> start --all`. What somebody stopped stays stopped. What goes away while the host is up is the
/// matter of drift, which the pipeline has its own word about.
struct BootReconcile {
    let journal: Journal
    let paths: GitopsPaths
    let reader: WorkloadReader
    let clock: any WallClock
    let log: (String) -> Void

    /// A name of this run of the machine; another one after a reboot (random(4)).
    private static let bootFile = "/proc/sys/kernel/random/boot_id"

    private var seenFile: String { "\(paths.state)/boot-id" }

    /// Goes away with the machine, as all of /run: what a service or a container sees as the boot's name may be
    /// that of another.
    private var markFile: String { "\(paths.runtime)/started" }

    /// Queues an attempt for each workload that is to be brought back.
    ///
    /// - Returns: whether there is one.
    func run() throws(VoltError) -> Bool {
        let boot = try? Files.read(Self.bootFile, limit: 64)
        let seen = try? Files.read(seenFile, limit: 64)
        let isReboot = seen != nil && (boot != nil && seen != boot || !Files.exists(markFile))
        if isReboot { log("the host was restarted: the workloads are looked at") }
        var found = false
        for pipeline in try journal.pipelines() {
            do throws(VoltError) {
                if try reconcile(pipeline, isReboot: isReboot) { found = true }
            } catch { log("error: \(pipeline.name): its workload cannot be looked at: \(error.message)") }
        }
        // Last: a server that dies before it has looked at all is followed by one that does.
        if seen == nil || seen != boot { try Files.replace(seenFile, with: boot ?? [], mode: 0o600) }
        try Files.replaceUnsynced(markFile, with: Array("1\n".utf8))
        return found
    }

    private func reconcile(_ pipeline: Pipeline, isReboot: Bool) throws(VoltError) -> Bool {
        let name = pipeline.name.text
        guard let good = try journal.lastApplied(of: name), let commit = good.commit,
            try !journal.has(.pruned, attempt: good.id), try !isBusy(name),
            // Asked in every case: it is then that a tool makes good what a supervisor that was killed has left.
            let status = try reader.status(of: pipeline, snapshot: good.snapshotName ?? commit),
            isReboot, status.stopped == nil,
            try !isBack(pipeline, snapshot: good.snapshotName ?? commit, status)
        else { return false }
        // Also one that came back by itself, such as by a command that looked at it: it may lack what was lost with the
        // machine, such as its ports.
        let reason = "the host was restarted"
        return try journal.transaction { () throws(VoltError) in
            // A delivery may have come meanwhile: what it deploys is newer.
            guard try !isBusy(name) else { return false }
            let id = try journal.accept(
                pipeline: name, trigger: .rollback, branch: pipeline.branch, commit: commit,
                origin: good.origin, note: reason, target: commit, snapshot: good.snapshotName,
                at: clock.now())
            log("\(name): attempt \(id) brings back \(commit.prefix(7)): \(reason)")
            return true
        }
    }

    /// Whether the tool of a workload's kind has brought it back with everything that it needs, by the unit that starts
    /// what should run.
    private func isBack(_ pipeline: Pipeline, snapshot: String, _ status: WorkloadStatus) throws(VoltError)
        -> Bool
    {
        guard status.state == .running || status.state == .starting, status.health != .unhealthy else {
            return false
        }
        return try StartedKinds(hostRuntime: paths.hostRuntime).has(reader.kind(of: pipeline, in: snapshot))
    }

    /// Whether an attempt is under way or about to be; one that waits for a person or an hour may wait for long.
    private func isBusy(_ name: String) throws(VoltError) -> Bool {
        try journal.open(of: name).contains { $0.wait == nil }
    }
}
