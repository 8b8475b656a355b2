internal import FoundationEssentials
internal import VoltCore
internal import VoltSystem

/// The records of the workloads of a kind, `<state>/workloads/<name>/workload.json`.
struct WorkloadRecords: Sendable {
    let directory: String
    let locks: String

    init(paths: HostPaths) {
        directory = "\(paths.state)/workloads"
        locks = "\(paths.runtime)/workloads"
    }

    private func path(_ workload: Name) -> String { "\(directory)/\(workload)/workload.json" }

    /// The workloads that have a record, sorted.
    func all() throws(VoltError) -> [Name] {
        guard Files.isDirectory(directory) else { return [] }
        return try Files.list(directory).compactMap { try? Name($0) }.filter { Files.exists(path($0)) }
            .sorted()
    }

    func read(_ workload: Name) throws(VoltError) -> WorkloadRecord? {
        guard Files.exists(path(workload)) else { return nil }
        let record: WorkloadRecord
        let bytes = try Files.read(path(workload))
        do { record = try JSONDecoder().decode(WorkloadRecord.self, from: Data(bytes)) } catch {
            throw VoltError(.failed, "cannot read '\(path(workload))': it is damaged or of another version")
        }
        let mark = FormatMark(
            WorkloadRecord.currentVersion, to: "read '\(path(workload))'", code: .failed, hint: "upgrade Volt"
        )
        try mark.check(record.version)
        return record
    }

    func write(_ record: WorkloadRecord, _ workload: Name) throws(VoltError) {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        let bytes: [UInt8]
        do { bytes = Array(try encoder.encode(record)) } catch {
            throw VoltError(.failed, "cannot encode the record of workload '\(workload)': \(error)")
        }
        try Files.makeDirectory("\(directory)/\(workload)", mode: 0o700)
        try Files.replace(path(workload), with: bytes, mode: 0o600)
        try Files.syncDirectory(directory)
    }

    func remove(_ workload: Name) throws(VoltError) {
        try Files.removeTree("\(directory)/\(workload)")
        if Files.isDirectory(directory) { try Files.syncDirectory(directory) }
    }

    /// Takes the workload's lock, waiting for another command that holds it.
    func lock(_ workload: Name, until deadline: ContinuousClock.Instant) async throws -> FileLock {
        try await WorkloadLock.take("\(locks)/\(workload).lock", of: workload, until: deadline)
    }
}

/// Locks of workloads.
enum WorkloadLock {
    /// Takes a lock, waiting for another command that holds it.
    ///
    /// - Throws: `VoltError` with code `tryAgain` when the time is over.
    static func take(_ path: String, of workload: Name, until deadline: ContinuousClock.Instant) async throws
        -> FileLock
    {
        try Files.makeDirectory(Files.parent(of: path), mode: 0o700)
        while true {
            if let lock = try FileLock.tryLock(path) { return lock }
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
