internal import VoltCore
internal import VoltSystem
internal import VoltWorkload

/// Brings back the workloads that should run and do not when the server starts: after a reboot, and after a
/// crash that took their supervisors along. What somebody stopped stays stopped.
struct Revival {
    let journal: Journal
    let paths: GitopsPaths
    let reader: WorkloadReader
    let clock: any WallClock
    let log: (String) -> Void

    /// A name of this run of the machine; another one after a reboot (random(4)).
    private static let bootFile = "/proc/sys/kernel/random/boot_id"

    private var seenFile: String { "\(paths.state)/boot-id" }

    /// Queues an attempt for each workload that is to be brought back.
    ///
    /// - Returns: whether there is one.
    func run() throws(VoltError) -> Bool {
        let boot = try? Files.read(Self.bootFile, limit: 64)
        let seen = try? Files.read(seenFile, limit: 64)
        let isReboot = seen != nil && boot != nil && seen != boot
        if isReboot { log("the host was restarted: the workloads are looked at") }
        var found = false
        for pipeline in try journal.pipelines() {
            do throws(VoltError) {
                if try revive(pipeline, isReboot: isReboot) { found = true }
            } catch { log("error: \(pipeline.name): its workload cannot be looked at: \(error.message)") }
        }
        // Last: a server that dies before it has looked at all is followed by one that does.
        if let boot, seen != boot { try Files.replace(seenFile, with: boot, mode: 0o600) }
        return found
    }

    private func revive(_ pipeline: Pipeline, isReboot: Bool) throws(VoltError) -> Bool {
        let name = pipeline.name.text
        guard let commit = try journal.lastApplied(of: name)?.commit,
            try !journal.isPruned(commit, of: name), try journal.open(of: name).isEmpty,
            let status = try reader.status(of: pipeline, commit: commit),
            let reason = Self.reason(for: status, isReboot: isReboot)
        else { return false }
        return try journal.transaction { () throws(VoltError) in
            // A delivery may have come meanwhile: what it deploys is newer.
            guard try journal.open(of: name).isEmpty else { return false }
            let id = try journal.accept(
                pipeline: name, trigger: .rollback, branch: pipeline.branch, commit: commit, note: reason,
                target: commit, at: clock.now())
            log("\(name): attempt \(id) brings back \(commit.prefix(7)): \(reason)")
            return true
        }
    }

    /// Why a workload is brought back; nil when it is not.
    static func reason(for status: WorkloadStatus, isReboot: Bool) -> String? {
        guard status.stopped == nil else { return nil }
        // One that came back by itself may lack what was lost with the machine, such as its ports.
        if isReboot { return "the host was restarted" }
        switch status.state {
        case "exited": return "the workload had stopped when the server started"
        case "absent": return "the workload was gone when the server started"
        default: return nil
        }
    }
}
