internal import Dispatch
internal import Glibc
internal import Synchronization
internal import VoltCore
internal import VoltOCI
internal import VoltSystem

/// The digest of a file that grows. Of a large one it is computed on another thread behind the writer, from what the
/// kernel still has in memory: nothing is kept twice, and the writer need not wait.
///
/// The hasher is used by whoever holds it: the writer until the file is large, then the one task that is under way, which
/// `isRunning` says, and at the end the one who waited for that task. That is why it may go from thread to thread.
final class TrailingDigest: @unchecked Sendable {
    private struct State {
        /// Up to where the file was written, and up to where it is in the digest.
        var written: UInt64 = 0
        var hashed: UInt64 = 0
        /// Whether a task is under way.
        var isRunning = false
        var isEnding = false
        var failure: VoltError?
    }

    /// Up to here the writer computes it itself; larger parts are worth a task.
    private static let step: UInt64 = 1 << 20

    let algorithm: OCIDigest.Algorithm
    private let path: String
    private let hasher: OCIHasher
    private let descriptor: Int32
    private let state = Mutex(State())
    private let ended = DispatchSemaphore(value: 0)

    /// - Parameter descriptor: of the file, from which it is read; the caller's.
    init(_ algorithm: OCIDigest.Algorithm, of descriptor: Int32, path: String) throws(VoltError) {
        self.algorithm = algorithm
        self.path = path
        hasher = OCIHasher(algorithm)
        self.descriptor = fcntl(descriptor, F_DUPFD_CLOEXEC, 0)
        guard self.descriptor >= 0 else { throw SystemError.current.during("cannot read '\(path)'") }
    }

    deinit { close(descriptor) }

    /// Says that these bytes were added to the file.
    func wrote(_ bytes: UnsafeRawBufferPointer) {
        enum Next { case hash, start, nothing }
        let next: Next = state.withLock { state in
            let isSmall = state.written <= Self.step && state.written == state.hashed
            state.written += UInt64(bytes.count)
            if isSmall, !state.isRunning {
                state.hashed = state.written
                return .hash
            }
            guard !state.isRunning, state.written - state.hashed >= Self.step else { return .nothing }
            state.isRunning = true
            return .start
        }
        switch next {
        case .hash: hasher.update(bytes)
        case .start: DispatchQueue.global().async { self.run() }
        case .nothing: break
        }
    }

    /// Adds what was written to the digest, until there is not enough left or somebody waits for it.
    private func run() {
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 1 << 18, alignment: 4096)
        defer { buffer.deallocate() }
        while true {
            let (start, count) = state.withLock { state in
                (state.hashed, min(state.written - state.hashed, UInt64(buffer.count)))
            }
            var failure: VoltError?
            do throws(VoltError) {
                try hash(from: start, UnsafeMutableRawBufferPointer(rebasing: buffer[..<Int(count)]))
            } catch { failure = error }
            let goesOn = state.withLock { state in
                state.hashed += count
                state.failure = state.failure ?? failure
                let goesOn =
                    !state.isEnding && state.failure == nil
                    && state.written - state.hashed >= UInt64(buffer.count)
                if !goesOn {
                    state.isRunning = false
                    if state.isEnding { ended.signal() }
                }
                return goesOn
            }
            if !goesOn { return }
        }
    }

    private func hash(from offset: UInt64, _ room: UnsafeMutableRawBufferPointer) throws(VoltError) {
        var done = 0
        while done < room.count {
            let count = pread(
                descriptor, room.baseAddress?.advanced(by: done), room.count - done,
                off_t(offset) + off_t(done))
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { throw SystemError.current.during("cannot read '\(path)'") }
            done += count
        }
        hasher.update(UnsafeRawBufferPointer(room))
    }

    /// The digest of all that was written; nothing is added afterwards.
    func finish() throws(VoltError) -> OCIDigest {
        let waits = state.withLock { state in
            state.isEnding = true
            return state.isRunning
        }
        if waits { ended.wait() }
        let state = state.withLock { $0 }
        if let failure = state.failure { throw failure }
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 1 << 18, alignment: 4096)
        defer { buffer.deallocate() }
        var offset = state.hashed
        while offset < state.written {
            let count = min(state.written - offset, UInt64(buffer.count))
            try hash(from: offset, UnsafeMutableRawBufferPointer(rebasing: buffer[..<Int(count)]))
            offset += count
        }
        return hasher.finish()
    }
}
