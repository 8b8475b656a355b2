internal import Dispatch
internal import Synchronization

/// Threads that do jobs, each with things of its own (buffers, contexts of libraries).
final class Workers<Own>: Sendable {
    private struct State {
        var jobs: [@Sendable (Own) -> Void] = []
        var isEnded = false
    }

    private let state = Mutex(State())
    private let available = DispatchSemaphore(value: 0)
    private let group = DispatchGroup()
    /// The number of threads.
    let count: Int

    /// - Parameter make: gives a thread what is its own; called on that thread.
    init(_ count: Int, make: @escaping @Sendable () -> Own) {
        self.count = count
        for _ in 0..<count {
            group.enter()
            DispatchQueue(label: "volt.store").async { [self] in
                let own = make()
                while let job = next() { job(own) }
                group.leave()
            }
        }
    }

    /// Hands a job to the next thread that is free.
    func submit(_ job: @escaping @Sendable (Own) -> Void) {
        state.withLock { $0.jobs.append(job) }
        available.signal()
    }

    /// Lets the threads end when all jobs are done, and waits for that.
    func finish() {
        state.withLock { $0.isEnded = true }
        for _ in 0..<count { available.signal() }
        group.wait()
    }

    private func next() -> (@Sendable (Own) -> Void)? {
        available.wait()
        return state.withLock { state in
            state.jobs.isEmpty ? nil : state.jobs.removeFirst()
        }
    }
}

/// The first error of several threads.
final class FirstFailure: Sendable {
    private let first = Mutex<(any Error)?>(nil)

    var error: (any Error)? { first.withLock { $0 } }

    func note(_ error: any Error) { first.withLock { if $0 == nil { $0 = error } } }
}
