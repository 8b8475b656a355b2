internal import Synchronization
internal import VoltCore
internal import VoltCrypto

/// Remembers tokens whose signature was right: one is sent with each of the twenty requests of a pull.
final class VerifiedTokens: Sendable {
    private struct Entry {
        let claims: TokenClaims
        let epoch: [Int]
    }

    /// How many are kept.
    private static let most = 4096

    private let entries = Mutex<[[UInt8]: Entry]>([:])

    /// As `TokenVerifier.claims`, by memory when it can.
    ///
    /// - Parameter epoch: changes with the keys; what was verified by others is verified again.
    func claims(_ token: String, _ verifier: TokenVerifier, epoch: [Int], now: Timestamp)
        throws(TokenRefusal) -> TokenClaims
    {
        guard token.utf8.count <= TokenVerifier.longest else { throw TokenRefusal("it is too long") }
        let hasher = SHA256Hasher()
        hasher.update(token)
        let mark = hasher.finishBytes()
        if let entry = entries.withLock({ $0[mark] }), entry.epoch == epoch {
            try entry.claims.check(now: now)
            return entry.claims
        }
        let claims = try verifier.claims(token, now: now)
        entries.withLock { entries in
            if entries.count >= Self.most {
                let seconds = Int(now.milliseconds / 1000)
                entries = entries.filter { $0.value.claims.expires > seconds && $0.value.epoch == epoch }
                if entries.count >= Self.most { entries.removeAll() }
            }
            entries[mark] = Entry(claims: claims, epoch: epoch)
        }
        return claims
    }
}
