internal import Glibc
internal import VoltCore
internal import VoltSystem

/// Deals with the attempts that a server which died has left open.
struct Recovery {
    /// An attempt that took down as many servers is not tried again.
    static let resumeLimit = 3

    let journal: Journal
    let clock: any WallClock
    let log: (String) -> Void

    /// Ends the processes that still work on them, and queues each attempt again or closes it.
    ///
    /// - Parameter pipelines: those to look at.
    func run(_ pipelines: [Pipeline]) throws(VoltError) {
        for pipeline in pipelines {
            for attempt in try journal.open(of: pipeline.name.text) where attempt.state != .accepted {
                if let (pid, start) = try journal.child(of: attempt.id) { end(pid, start) }
                let resumes = try journal.steps(of: attempt.id).filter { $0.state == .fetching }.count
                guard resumes < Self.resumeLimit else {
                    try journal.finish(
                        attempt.id, as: .interrupted,
                        note: "\(attempt.note), interrupted: the server died \(resumes) times at it",
                        at: clock.now())
                    log("\(pipeline.name): attempt \(attempt.id) is closed as interrupted")
                    continue
                }
                let note = attempt.note.hasSuffix(", resumed") ? attempt.note : "\(attempt.note), resumed"
                try journal.requeue(attempt.id, note: note)
                log(
                    "\(pipeline.name): attempt \(attempt.id) was \(attempt.state.rawValue) when the server died; it is resumed"
                )
            }
        }
    }

    /// Asks a process that applies an attempt to give up, and waits for its end: the next one must not
    /// start beside it.
    private func end(_ pid: Int32, _ start: UInt64) {
        guard pid > 1, start != 0, Processes.startTime(pid) == start, Processes.isAlive(pid) else { return }
        log("process \(pid) of an earlier server still applies; it is stopped")
        kill(pid, SIGTERM)
        let deadline = ContinuousClock.now + .seconds(20)
        while Processes.startTime(pid) == start, Processes.isAlive(pid) {
            if ContinuousClock.now > deadline {
                kill(-pid, SIGKILL)
                kill(pid, SIGKILL)
            }
            usleep(10_000)
        }
    }
}
