internal import Glibc
internal import Synchronization
internal import VoltCore
internal import VoltSystem

/// What tells one state of a file from another.
private struct FileStamp: Equatable {
    let device: UInt64
    let inode: UInt64
    let size: Int
    let modified: [Int]

    init?(_ path: String) {
        var information = stat()
        guard stat(path, &information) == 0 else { return nil }
        device = UInt64(information.st_dev)
        inode = UInt64(information.st_ino)
        size = Int(information.st_size)
        modified = [
            information.st_mtim.tv_sec, information.st_mtim.tv_nsec, information.st_ctim.tv_sec,
            information.st_ctim.tv_nsec,
        ]
    }
}

/// The value of a file, which is read again when the file changes. One that cannot be used leaves the last good
/// value in place.
final class WatchedFile<Value: Sendable>: Sendable {
    private struct State {
        var value: Value
        var generation = 0
        var stamp: FileStamp?
        var nextLook: Int64
        var problem: VoltError?
    }

    /// How long one look holds, in milliseconds.
    private static var lookInterval: Int64 { 1000 }

    private let path: String
    private let limit: Int
    private let parse: @Sendable ([UInt8]) throws(VoltError) -> Value
    private let state: Mutex<State>

    /// - Throws: `VoltError` when the file cannot be used at the start.
    init(
        _ path: String, limit: Int, now: Timestamp,
        parse: @escaping @Sendable ([UInt8]) throws(VoltError) -> Value
    ) throws(VoltError) {
        self.path = path
        self.limit = limit
        self.parse = parse
        // Before the bytes: a change in between shows at the next look.
        let stamp = FileStamp(path)
        let value = try parse(try Files.read(path, limit: limit))
        state = Mutex(
            State(value: value, stamp: stamp, nextLook: now.milliseconds + Self.lookInterval))
    }

    /// The value, and how often it has changed. Looks at the file at most once a second.
    func current(now: Timestamp) -> (value: Value, generation: Int) {
        state.withLock { state in
            // A clock that was set back must not stop the looks.
            let wait = state.nextLook - now.milliseconds
            guard wait <= 0 || wait > Self.lookInterval else { return (state.value, state.generation) }
            state.nextLook = now.milliseconds + Self.lookInterval
            let stamp = FileStamp(path)
            guard stamp != state.stamp else { return (state.value, state.generation) }
            state.stamp = stamp
            do throws(VoltError) {
                state.value = try parse(try Files.read(path, limit: limit))
                state.generation += 1
                state.problem = nil
            } catch {
                state.problem = VoltError(
                    error.code, "\(error.message); what was read before stays in force", hint: error.hint)
            }
            return (state.value, state.generation)
        }
    }

    /// Why the last change was not taken; once.
    func takeProblem() -> VoltError? {
        state.withLock { state in
            defer { state.problem = nil }
            return state.problem
        }
    }
}
