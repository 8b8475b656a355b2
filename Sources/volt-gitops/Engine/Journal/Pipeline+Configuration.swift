internal import FoundationEssentials
internal import VoltCore
internal import VoltCrypto

/// How often a failed commit is tried again.
public struct RetryPolicy: Codable, Sendable, Equatable {
    /// Attempts of one commit, under one configuration, before it is held.
    public var attempts = 3
    /// Seconds before the second attempt; each later one waits twice as long as the one before.
    public var after: Int64 = 30

    /// Three attempts, after 30 and 60 seconds.
    public init() {}

    /// The longest wait, in seconds.
    static let longest: Int64 = 3600

    /// Seconds to wait after the attempt that failed as the `count`th, counted from 1.
    func wait(after count: Int) -> Int64 {
        min(after << Int64(max(0, min(count - 1, 20))), Self.longest)
    }
}

extension Pipeline {
    /// How often a failed commit is tried again.
    var retries: RetryPolicy { retry ?? RetryPolicy() }

    /// A digest over the settings that decide what a commit comes to: with another one, a commit that failed
    /// may succeed.
    public var configuration: String {
        var settings = self
        // When it is deployed, how often, and who is told, is nothing that the outcome depends on.
        settings.pollInterval = 0
        settings.retry = nil
        settings.control = nil
        settings.notify = nil
        settings.allowsUnsigned = false
        settings.createdAt = .init(milliseconds: 0)
        let encoder = JSONEncoder()
        encoder.outputFormatting = .sortedKeys
        // A pipeline came out of the journal, where it is kept in the same encoding.
        let bytes = (try? encoder.encode(settings)).map(Array.init) ?? []
        return String(SHA256Hasher.digest(of: bytes).hex.prefix(16))
    }
}
