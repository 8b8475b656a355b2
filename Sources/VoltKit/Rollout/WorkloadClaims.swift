internal import VoltCore
internal import VoltSystem

/// The kinds that have the names of the workloads of this host: a file for each name, `claims/<name>` beside the state
/// of the tools, with the line `volt-claim 1 <kind>`.
///
/// Whoever reads a claim to act on it, or writes one, holds the lock of the name. A claim is written when the workload
/// is put in place and removed after it is gone, so that a command that died leaves at most a claim whose kind says
/// that there is no such workload.
struct WorkloadClaims: Sendable {
    let directory: String
    let locks: String

    init(paths: HostPaths) {
        directory = "\(Files.parent(of: paths.state))/claims"
        // A user without a runtime directory has one in the cache of each tool.
        let isInCache = paths.runtime == "\(paths.cache)/run"
        locks =
            isInCache
            ? "\(Files.parent(of: paths.cache))/run/claims" : "\(Files.parent(of: paths.runtime))/claims"
    }

    private func path(_ workload: Name) -> String { "\(directory)/\(workload)" }

    /// Takes the lock of a name, waiting for a command of any kind that holds it.
    func lock(_ workload: Name, until deadline: ContinuousClock.Instant) async throws -> FileLock {
        try await WorkloadLock.take("\(locks)/\(workload).lock", of: workload, until: deadline)
    }

    /// The kind that has a name, or nil.
    func kind(of workload: Name) throws(VoltError) -> String? {
        guard Files.exists(path(workload)) else { return nil }
        let text = String(decoding: try Files.read(regular: path(workload), limit: 4096), as: UTF8.self)
        let words = text.split(whereSeparator: \.isWhitespace)
        guard words.count >= 3, words[0] == "volt-claim", let version = Int(words[1]) else {
            throw VoltError(
                .failed, "cannot read '\(path(workload))': it is damaged",
                hint: "remove the file when no other kind has workload '\(workload)'")
        }
        guard version == 1 else {
            throw VoltError(
                .failed,
                "cannot read '\(path(workload))': format \(version) is newer than this tool reads (1)",
                hint: "upgrade Volt")
        }
        return String(words[2])
    }

    /// Gives a name to a kind, whoever had it.
    func set(_ workload: Name, kind: String) throws(VoltError) {
        try Files.makeDirectory(directory, mode: 0o700)
        try Files.replace(path(workload), with: "volt-claim 1 \(kind)\n".utf8, mode: 0o600)
    }

    /// Gives a name back, if the kind has it.
    func release(_ workload: Name, kind: String) throws(VoltError) {
        guard try self.kind(of: workload) == kind else { return }
        try Files.remove(path(workload))
        try Files.syncDirectory(directory)
    }
}
