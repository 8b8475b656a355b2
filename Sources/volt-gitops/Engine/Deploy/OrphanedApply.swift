internal import Glibc
internal import VoltCore
internal import VoltSystem

/// Finds and ends the processes that a server which died has left applying: the next one must not start
/// beside them.
struct OrphanedApply {
    /// The directory with the snapshots of a pipeline; a process that applies one of them is of the pipeline,
    /// also when its id was not written down any more.
    let snapshots: String
    let log: (String) -> Void

    /// Asks each to give up, and waits for its end.
    ///
    /// - Parameter known: a process that the journal names, by id and start time.
    func end(known: (pid: Int32, start: UInt64)?) {
        var pids = Set(found())
        if let known, known.pid > 1, known.start != 0, Processes.startTime(known.pid) == known.start {
            pids.insert(known.pid)
        }
        for pid in pids.sorted() { end(pid) }
    }

    private func found() -> [Int32] {
        ((try? Files.list("/proc")) ?? []).compactMap { Int32($0) }.filter { pid in
            guard pid > 1, pid != getpid(),
                let bytes = try? Files.read("/proc/\(pid)/cmdline", limit: 1 << 20)
            else { return false }
            let words = bytes.split(separator: 0, omittingEmptySubsequences: false).map {
                String(decoding: $0, as: UTF8.self)
            }
            guard let verb = words.prefix(3).firstIndex(of: "apply"),
                let option = words.firstIndex(of: "--manifest"), option > verb, option + 1 < words.count
            else { return false }
            return words[option + 1].hasPrefix("\(snapshots)/")
        }
    }

    private func end(_ pid: Int32) {
        guard let start = Processes.startTime(pid), Processes.isAlive(pid) else { return }
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
