internal import Dispatch
internal import Synchronization
internal import VoltCore

/// A thread of the server that looks into the journal once a second, or at once when it is kicked, and hands
/// out what it finds to other threads, until it is stopped.
final class JournalLoop: Sendable {
    private let looks: DispatchQueue
    private let work: DispatchQueue
    private let wake = DispatchSemaphore(value: 0)
    private let done = DispatchGroup()
    private let stopped = Atomic(false)

    /// - Parameter label: the name of its threads.
    init(_ label: String) {
        looks = DispatchQueue(label: label)
        work = DispatchQueue(label: "\(label).work", attributes: .concurrent)
    }

    /// Whether what is under way is to end.
    var isStopped: Bool { stopped.load(ordering: .acquiring) }

    /// Starts to look.
    ///
    /// - Parameters:
    ///   - state: the directory of the journal.
    ///   - pause: how long to wait after a look; a second unless told.
    func start(
        state: String, log: @escaping @Sendable (String) -> Void,
        pause: @escaping @Sendable () -> Duration = { .seconds(1) },
        look: @escaping @Sendable (Journal) throws(VoltError) -> Void
    ) throws(VoltError) {
        let journal = try Journal(state: state)
        // The journal moves to the thread that alone uses it from here on.
        nonisolated(unsafe) let owned = journal
        done.enter()
        looks.async { [self] in
            while !isStopped {
                do throws(VoltError) { try look(owned) } catch { log("error: \(error.message)") }
                _ = wake.wait(timeout: .now() + .milliseconds(Int(pause().milliseconds)))
                // One look serves all that have kicked since the last.
                while wake.wait(timeout: .now()) == .success {}
            }
            done.leave()
        }
    }

    /// Looks now.
    func kick() { wake.signal() }

    /// Does something on a thread of its own, for which `stop` waits; from within a look.
    func run(_ body: @escaping @Sendable () -> Void) {
        done.enter()
        work.async { [self] in
            body()
            done.leave()
        }
    }

    /// Ends the looks and waits for what is under way.
    func stop() {
        stopped.store(true, ordering: .releasing)
        kick()
        done.wait()
    }
}
