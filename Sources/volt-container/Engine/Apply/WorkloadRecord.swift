internal import VoltCore
internal import VoltSystem

/// What is kept about a workload. One file, replaced as a whole: the container named here is the workload,
/// every other container of it is a leftover of a command that died.
struct WorkloadRecord: Codable, Sendable, Equatable {
    static let currentVersion = 1
    var version = Self.currentVersion
    /// The number of the newest generation that was deployed.
    var generation: Int
    /// The container that serves.
    var container: Name
    /// The digest over everything that the container was started from.
    var fingerprint: Digest
    /// The digest of the container as it was started; nil in records of older versions.
    var started: Digest?
    /// The revision that was applied last; the container may be of an earlier one with the same content.
    var revision: String
    /// The image, when it was built or imported.
    var image: Digest?
    /// When the container was put in place.
    var deployed: Timestamp
    /// What the names of images in the definition resolved to; nil in records of older versions.
    var images: [String: Digest]?
    /// What was applied before and may be again, the newest first; nil in records of older versions.
    var history: [AppliedRevision]?
}

/// A revision that was applied, and the generation that it ran as, whose image is kept under that number.
struct AppliedRevision: Codable, Sendable, Equatable {
    var revision: String
    var generation: Int

    /// Revisions whose images are kept: more than the snapshots that `volt gitops` keeps.
    static let limit = 8
    /// Entries of a record, so that it stays small whatever is applied.
    static let most = 256

    /// The history of a workload whose newest revision this is.
    func added(to record: WorkloadRecord?) -> [AppliedRevision] {
        let old =
            record.map { $0.history ?? [AppliedRevision(revision: $0.revision, generation: $0.generation)] }
        return [self] + (old ?? []).filter { $0 != self }.prefix(Self.most - 1)
    }

    /// The part of a history that is of its newest revisions.
    static func newest(of history: [AppliedRevision]) -> [AppliedRevision] {
        var seen: Set<String> = []
        return history.filter { entry in
            if seen.count < limit { seen.insert(entry.revision) }
            return seen.contains(entry.revision)
        }
    }
}

/// The records of the workloads of this host, `<state>/workloads/<name>/workload.json`.
struct WorkloadRecords: Sendable {
    let directory: String
    let locks: String

    init(paths: HostPaths) {
        directory = "\(paths.state)/workloads"
        locks = "\(paths.runtime)/workloads"
    }

    private func path(_ workload: Name) -> String { "\(directory)/\(workload)/workload.json" }

    func read(_ workload: Name) throws(VoltError) -> WorkloadRecord? {
        guard Files.exists(path(workload)) else { return nil }
        let record = try JSONFile.read(WorkloadRecord.self, path(workload))
        let mark = FormatMark(
            WorkloadRecord.currentVersion, to: "read '\(path(workload))'", code: .failed,
            hint: "upgrade volt-container")
        try mark.check(record.version)
        return record
    }

    func write(_ record: WorkloadRecord, _ workload: Name) throws(VoltError) {
        try Files.makeDirectory("\(directory)/\(workload)", mode: 0o700)
        try JSONFile.write(record, path(workload))
        try Files.syncDirectory(directory)
    }

    func remove(_ workload: Name) throws(VoltError) {
        try Files.removeTree("\(directory)/\(workload)")
        if Files.isDirectory(directory) { try Files.syncDirectory(directory) }
    }

    /// Takes the workload's lock, waiting for another command that holds it.
    func lock(_ workload: Name, until deadline: ContinuousClock.Instant) async throws -> FileLock {
        try Files.makeDirectory(locks, mode: 0o700)
        while true {
            if let lock = try FileLock.tryLock("\(locks)/\(workload).lock") { return lock }
            try Task.checkCancellation()
            guard ContinuousClock.now < deadline else {
                throw VoltError(
                    .tryAgain, "workload '\(workload)' is being changed by another command",
                    hint: "try again when it is done")
            }
            try await Task.sleep(for: .milliseconds(50))
        }
    }
}
