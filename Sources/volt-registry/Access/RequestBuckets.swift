internal import Synchronization
internal import VoltCore

/// A bucket of requests for each user or address, which fills at the rate of the policy.
final class RequestBuckets: Sendable {
    private struct Bucket {
        var left: Double
        var filled: Int64
    }

    /// How many are kept at once.
    private static let most = 16_384

    private let buckets = Mutex<[String: Bucket]>([:])

    /// Takes one request out of a bucket.
    ///
    /// - Returns: nil, or how long to wait for the next one when there is none left.
    func take(_ key: String, _ limits: AccessPolicy.Limits, now: Timestamp) -> Duration? {
        buckets.withLock { buckets in
            let rate = Double(limits.perSecond)
            let most = Double(limits.burst)
            func level(_ bucket: Bucket) -> Double {
                let passed = max(0, now.milliseconds - bucket.filled)
                return min(most, bucket.left + Double(passed) / 1000 * rate)
            }
            if buckets[key] == nil, buckets.count >= Self.most {
                // Full ones say nothing; when all are in use, starting anew is better than to refuse everybody.
                buckets = buckets.filter { level($0.value) < most }
                if buckets.count >= Self.most { buckets.removeAll() }
            }
            var bucket = buckets[key] ?? Bucket(left: most, filled: now.milliseconds)
            bucket.left = level(bucket)
            bucket.filled = now.milliseconds
            defer { buckets[key] = bucket }
            guard bucket.left >= 1 else {
                return .milliseconds(Int64(((1 - bucket.left) / rate * 1000).rounded(.up)))
            }
            bucket.left -= 1
            return nil
        }
    }
}
