internal import FoundationEssentials
internal import VoltCore
internal import VoltCrypto
internal import VoltSystem

/// A secret that verifies deliveries.
struct HookSecret: Sendable, Equatable {
    /// Its bytes.
    let bytes: [UInt8]
    /// When it ends; nil for the current one.
    let until: Timestamp?

    /// By what the journal knows it; the journal is kept beside the secrets and like them.
    let digest: String

    /// - Parameters: see the properties.
    init(bytes: [UInt8], until: Timestamp?) {
        self.bytes = bytes
        self.until = until
        digest = SHA256Hasher.digest(of: bytes).hex
    }

    /// Whether it verifies at a time.
    func isValid(at now: Timestamp) -> Bool { until.map { now < $0 } ?? true }
}

/// The secrets of a pipeline's hook on disk: the current one as it is in `secrets/<name>`, and those before
/// it, with their ends, in `secrets/<name>.previous`.
///
/// The rename of the first file is the moment of a rotation. The second one is written before it and keeps
/// one entry more than counts: the secret before is the last entry that is not the current secret, so that
/// a crash between the two files leaves exactly what was before. Changes run one at a time, within a
/// transaction of the journal. Whoever reads in the midst of one sees the old secret or the new one; the
/// server reads again when the change is done.
struct HookSecretFiles {
    private struct Entry: Codable {
        var secret: String
        var until: Timestamp
    }

    private let directory: String
    private let name: String

    init(_ paths: GitopsPaths, _ pipeline: Name) {
        directory = Files.parent(of: paths.secret(pipeline))
        name = pipeline.text
    }

    private var current: String { "\(directory)/\(name)" }
    private var previous: String { "\(directory)/\(name).previous" }

    /// The current secret and, while its grace lasts, the one before; empty when the current one is lost.
    func read(now: Timestamp) throws(VoltError) -> [HookSecret] {
        let entries = try entries()
        guard Files.exists(current) else { return [] }
        let bytes = try Files.read(current, limit: 4096)
        guard !bytes.isEmpty else { return [] }
        let old = Self.before(bytes, in: entries).flatMap { $0.isValid(at: now) ? $0 : nil }
        return [HookSecret(bytes: bytes, until: nil)] + (old.map { [$0] } ?? [])
    }

    /// Replaces whatever is there with a first secret.
    func set(_ secret: [UInt8]) throws(VoltError) {
        try remove()
        try Files.replace(current, with: secret, mode: 0o600)
    }

    /// Makes a secret the current one; the one that was stays valid until the end of its grace.
    func rotate(to secret: [UInt8], now: Timestamp, until end: Timestamp) throws(VoltError) {
        if let old = try read(now: now).first {
            // The secret before the old one still counts until the rename.
            var entries = try entries().filter { now < $0.until }
            if let kept = Self.before(old.bytes, in: entries) {
                entries = [Self.entry(kept.bytes, kept.until)]
            }
            try write(entries + [Self.entry(old.bytes, end)])
        }
        try Files.replace(current, with: secret, mode: 0o600)
        try prune(now: now)
    }

    /// Removes what no longer counts, among it what a killed process left half written.
    func prune(now: Timestamp) throws(VoltError) {
        if let old = try read(now: now).dropFirst().first {
            try write([Self.entry(old.bytes, old.until)])
        } else {
            try Files.remove(previous)
        }
        for file in try Files.list(directory) where file.hasPrefix("\(name).") && file.hasSuffix(".tmp") {
            try Files.remove("\(directory)/\(file)")
        }
    }

    /// Whether `prune` would remove something.
    func hasEnded(now: Timestamp) -> Bool {
        Files.exists(previous) && ((try? read(now: now).count) ?? 2) < 2
    }

    /// Ends the grace of the secret before the current one.
    func retire() throws(VoltError) { try Files.remove(previous) }

    /// Removes all.
    func remove() throws(VoltError) {
        // Names of pipelines have no dot: nothing of another one begins like this.
        for file in try Files.list(directory) where file == name || file.hasPrefix("\(name).") {
            try Files.remove("\(directory)/\(file)")
        }
        try Files.syncDirectory(directory)
    }

    private static func entry(_ bytes: [UInt8], _ until: Timestamp?) -> Entry {
        Entry(secret: Base64.encode(bytes), until: until ?? Timestamp(milliseconds: 0))
    }

    private static func before(_ current: [UInt8], in entries: [Entry]) -> HookSecret? {
        for entry in entries.reversed() {
            guard let bytes = Base64.decode(entry.secret), bytes != current, !bytes.isEmpty else { continue }
            return HookSecret(bytes: bytes, until: entry.until)
        }
        return nil
    }

    private func entries() throws(VoltError) -> [Entry] {
        guard Files.exists(previous) else { return [] }
        let bytes = try Files.read(previous, limit: 64 << 10)
        do { return try JSONDecoder().decode([Entry].self, from: Data(bytes)) } catch {
            throw VoltError(
                .failed, "'\(previous)' cannot be read", hint: "remove it: it holds the secret before alone")
        }
    }

    private func write(_ entries: [Entry]) throws(VoltError) {
        let data: Data
        do { data = try JSONEncoder().encode(entries) } catch {
            throw VoltError(.failed, "cannot encode '\(previous)'")
        }
        try Files.replace(previous, with: data, mode: 0o600)
    }
}
