public import VoltCore

/// The record of a workload. One file, replaced as a whole: the instance named here is the workload,
/// every other instance of it is a leftover of a command that died.
public struct WorkloadRecord: Codable, Sendable, Equatable {
    static let currentVersion = 1
    var version = Self.currentVersion
    /// The number of the newest generation that was deployed.
    public var generation: Int
    /// The instance that serves.
    public var instance: Name
    /// The digest over everything that the instance was started from.
    public var fingerprint: Digest
    /// The digest of the instance as it was started; nil in records of older versions.
    public var started: Digest?
    /// The revision that was applied last; the instance may be of an earlier one with the same content.
    public var revision: String
    /// The image, when there is one.
    public var image: Digest?
    /// When the instance was put in place.
    public var deployed: Timestamp
    /// What the names of images in the definition resolved to; nil in records of older versions.
    public var images: [String: Digest]?
    /// What was applied before and may be again, the newest first; nil in records of older versions.
    public var history: [AppliedRevision]?
    /// The workloads that it waits for; nil for none.
    public var after: [Name]?

    enum CodingKeys: String, CodingKey {
        // The word of the first kind, which stays on disk.
        case instance = "container"
        case version, generation, fingerprint, started, revision, image, deployed, images, history, after
    }

    /// - Parameters: see the properties.
    public init(
        generation: Int, instance: Name, fingerprint: Digest, started: Digest?, revision: String,
        image: Digest? = nil, deployed: Timestamp
    ) {
        self.generation = generation
        self.instance = instance
        self.fingerprint = fingerprint
        self.started = started
        self.revision = revision
        self.image = image
        self.deployed = deployed
    }
}

/// A revision that was applied, and the generation that it ran as, whose image is kept under that number.
public struct AppliedRevision: Codable, Sendable, Equatable {
    /// The revision.
    public var revision: String
    /// The generation.
    public var generation: Int

    /// The number of revisions whose images are kept: more than the snapshots that `volt gitops` keeps.
    static let limit = 8
    /// The most entries of a record, so that it stays small whatever is applied.
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
