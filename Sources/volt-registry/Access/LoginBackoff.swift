internal import Synchronization
internal import VoltCore

/// How long an address waits after logins that failed: not at all for the first five, then 1 s, 2 s, 4 s up to a
/// minute. A quarter of an hour without one is forgiven.
///
/// A login that succeeds changes nothing: whoever has an account could otherwise guess those of others for ever.
final class LoginBackoff: Sendable {
    private struct Entry {
        var failures = 0
        var until: Int64 = 0
        var last: Int64 = 0
    }

    private static let free = 5
    private static let longest: Int64 = 60_000
    private static let memory: Int64 = 15 * 60_000
    /// How many addresses are kept at once.
    private static let most = 10_000

    private let entries = Mutex<[String: Entry]>([:])

    /// How long an address has still to wait; nil when it need not.
    func wait(_ key: String, now: Timestamp) -> Duration? {
        entries.withLock { entries in
            guard let entry = entries[key], entry.until > now.milliseconds else { return nil }
            // A clock that was set back must not lock anybody out for hours.
            return .milliseconds(min(entry.until - now.milliseconds, Self.longest))
        }
    }

    /// Notes a login that failed.
    func failed(_ key: String, now: Timestamp) {
        entries.withLock { entries in
            if entries[key] == nil, entries.count >= Self.most {
                entries = entries.filter { now.milliseconds - $0.value.last < Self.memory }
                if entries.count >= Self.most, let any = entries.keys.first { entries[any] = nil }
            }
            var entry = entries[key] ?? Entry()
            if now.milliseconds - entry.last > Self.memory { entry.failures = 0 }
            entry.failures = min(entry.failures + 1, 100)
            entry.last = now.milliseconds
            if entry.failures > Self.free {
                let wait = Int64(1000) << Int64(min(entry.failures - Self.free - 1, 6))
                entry.until = now.milliseconds + min(wait, Self.longest)
            }
            entries[key] = entry
        }
    }
}
