public import VoltCore
internal import VoltCrypto
internal import VoltSystem

/// Which secrets of a pipeline verify deliveries, without the secrets.
public struct SecretReport: Codable, Sendable, Equatable {
    /// A secret.
    public struct Line: Codable, Sendable, Equatable {
        /// `current` or `previous`.
        public var secret: String
        /// When it ends; nil for the current one.
        public var validUntil: Timestamp?
        /// When a delivery verified with it last, also one with nothing to do; nil for never.
        public var lastDelivery: Timestamp?
    }

    /// The pipeline.
    public var pipeline: String
    /// The current secret first; empty when it is lost, and then every delivery is refused.
    public var secrets: [Line]
    /// Which of them the last delivery used; nil when none came, or with one that has ended.
    public var lastUsed: String?
}

extension Gitops {
    /// How long a secret may stay valid after a rotation.
    static let longestGrace = Duration.seconds(30 * 86_400)

    /// A secret for a provider's form: 256 random bits in hex digits.
    public static func newSecret() -> [UInt8] { Array(Hex.encode(SecureRandom.bytes(32)).utf8) }

    /// Gives the hook of a pipeline a new secret. It is on disk when this returns, and at no moment neither
    /// the old nor the new one is.
    ///
    /// - Parameter grace: how long the old one stays valid, at most 30 days; zero ends it at once.
    /// - Throws: `VoltError` with code `notFound`, `usage` or `refused`.
    public func rotateSecret(of name: String, to secret: [UInt8], grace: Duration) throws(VoltError)
        -> SecretReport
    {
        guard grace >= .zero, grace <= Self.longestGrace else {
            throw VoltError(
                .usage, "a grace of \(DurationText.format(grace)) is out of range", hint: "use 0s to 30d")
        }
        return try changeSecrets(of: name) { files, pipeline, now throws(VoltError) in
            try Self.check(secret: secret, of: pipeline.provider)
            guard try files.read(now: now).first?.bytes != secret else {
                throw VoltError(.usage, "this is the secret of pipeline '\(name)' already")
            }
            try files.rotate(to: secret, now: now, until: now.advanced(by: grace))
        }
    }

    /// Ends the old secret of a rotation before its time; does nothing when there is none.
    public func retireSecret(of name: String) throws(VoltError) -> SecretReport {
        try changeSecrets(of: name) { files, _, _ throws(VoltError) in try files.retire() }
    }

    /// Which secrets are valid and when each was used.
    public func secrets(of name: String) throws(VoltError) -> SecretReport {
        let journal = try journal()
        let pipeline = try signed(name, journal)
        return try report(HookSecretFiles(paths, pipeline.name), pipeline, journal, clock.now())
    }

    private func changeSecrets(
        of name: String,
        _ change: (HookSecretFiles, Pipeline, Timestamp) throws(VoltError) -> Void
    ) throws(VoltError) -> SecretReport {
        let journal = try journal()
        let now = clock.now()
        // The transaction is the lock: one change at a time, and none to a pipeline that is being deleted.
        let result = try journal.transaction { () throws(VoltError) in
            let pipeline = try signed(name, journal)
            let files = HookSecretFiles(paths, pipeline.name)
            try change(files, pipeline, now)
            try journal.keepUses(of: name, secrets: files.read(now: now).map(\.digest))
            return try report(files, pipeline, journal, now)
        }
        wakeServer()
        return result
    }

    private func signed(_ name: String, _ journal: Journal) throws(VoltError) -> Pipeline {
        let pipeline = try journal.pipeline(name)
        guard pipeline.provider.hooks != nil else {
            throw VoltError(.usage, "pipeline '\(name)' is polled and has no hook, so it has no secret")
        }
        guard !pipeline.allowsUnsigned else {
            throw VoltError(
                .refused, "pipeline '\(name)' takes deliveries without a signature",
                hint: "delete it and create it again with --secret-file")
        }
        return pipeline
    }

    private func report(
        _ files: HookSecretFiles, _ pipeline: Pipeline, _ journal: Journal, _ now: Timestamp
    ) throws(VoltError) -> SecretReport {
        let uses = try journal.secretUses(of: pipeline.name.text)
        let last = uses.max { $0.value < $1.value }?.key
        var report = SecretReport(pipeline: pipeline.name.text, secrets: [])
        for secret in try files.read(now: now) {
            let word = secret.until == nil ? "current" : "previous"
            let digest = secret.digest
            report.secrets.append(
                .init(secret: word, validUntil: secret.until, lastDelivery: uses[digest]))
            if digest == last { report.lastUsed = word }
        }
        return report
    }
}
