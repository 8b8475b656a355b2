internal import Dispatch
internal import Synchronization
internal import VoltCore
internal import VoltCrypto
internal import VoltPassword

/// Checks passwords: those that were right some minutes ago at once, others by bcrypt, two at a time.
final class PasswordCheck: Sendable {
    /// What came of it.
    enum Answer: Sendable, Equatable {
        case right
        case wrong
        /// Too many failures, or too many at once.
        case later(Duration)
        /// Only bcrypt can tell, which the caller did not want to wait for.
        case unknown
    }

    /// How long a password that was right is remembered, in milliseconds.
    private static let memory: Int64 = 5 * 60_000
    private static let mostRemembered = 4096
    /// How many run at once: the rest of the machine is for the registry.
    private static let running = 2
    /// How many wait for their turn; at 60 ms each, the last has waited for two seconds.
    private static let waiting = 64

    // Without this key, which never leaves the process, the marks that are remembered say nothing about the
    // passwords; a plain hash could be searched a million times faster than bcrypt.
    private let key = SecureRandom.bytes(32)
    private let remembered = Mutex<[[UInt8]: Int64]>([:])
    private let turns = DispatchSemaphore(value: PasswordCheck.running)
    private let queue = Mutex(0)
    private let backoff = LoginBackoff()
    /// How often bcrypt ran.
    private let runs = Mutex(0)

    /// - Parameters:
    ///   - address: the key of the address that asks.
    ///   - mayWait: whether this may take the time of bcrypt, and block.
    func check(
        _ login: Authorization.Login, _ users: Htpasswd, address: String, now: Timestamp, mayWait: Bool
    ) -> Answer {
        let known = users.hashes[login.user]
        // The same steps for those who do not exist: the caches hold nothing of them.
        let hash = known ?? users.decoy
        let mark = self.mark(login, hash)
        if isRemembered(mark, now) { return .right }
        if let wait = backoff.wait(address, now: now) { return .later(wait) }
        guard mayWait else { return .unknown }
        guard enter() else { return .later(.seconds(1)) }
        defer { leave() }
        // Twenty layers come at once: the first answers for all. And so do the failures of one who guesses.
        if isRemembered(mark, now) { return .right }
        if let wait = backoff.wait(address, now: now) { return .later(wait) }
        runs.withLock { $0 += 1 }
        let isRight = hash.matches(login.password)
        guard isRight, known != nil else {
            backoff.failed(address, now: now)
            return .wrong
        }
        remember(mark, now)
        return .right
    }

    /// How often bcrypt ran, for tests and figures.
    var count: Int { runs.withLock { $0 } }

    /// Stands for user, password and hash: another hash in the file makes another mark.
    private func mark(_ login: Authorization.Login, _ hash: BcryptHash) -> [UInt8] {
        let code = HMACSHA256(key: key)
        for part in [Array(login.user.utf8), login.password] {
            code.update(withUnsafeBytes(of: UInt64(part.count).littleEndian) { Array($0) })
            code.update(part)
        }
        code.update(hash.text.utf8)
        return code.finish()
    }

    private func isRemembered(_ mark: [UInt8], _ now: Timestamp) -> Bool {
        remembered.withLock { marks in
            guard let since = marks[mark] else { return false }
            return (0...Self.memory).contains(now.milliseconds - since)
        }
    }

    private func remember(_ mark: [UInt8], _ now: Timestamp) {
        remembered.withLock { marks in
            if marks.count >= Self.mostRemembered {
                marks = marks.filter { (0...Self.memory).contains(now.milliseconds - $0.value) }
                if marks.count >= Self.mostRemembered { marks.removeAll() }
            }
            marks[mark] = now.milliseconds
        }
    }

    private func enter() -> Bool {
        let isRoom = queue.withLock { count in
            guard count < Self.waiting else { return false }
            count += 1
            return true
        }
        if isRoom { turns.wait() }
        return isRoom
    }

    private func leave() {
        turns.signal()
        queue.withLock { $0 -= 1 }
    }
}
