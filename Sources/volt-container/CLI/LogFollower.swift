internal import ContainerEngine
internal import Glibc
internal import VoltCLI
internal import VoltCore
internal import VoltSupervise
internal import VoltSystem

/// Prints what a container prints, until it has ended.
struct LogFollower {
    let runtime: ContainerRuntime
    let name: Name
    /// Whether signals are for the container, as they are when it is run in the foreground: SIGTERM stops it, the
    /// payload gets others as they are.
    let isForeground: Bool

    // A byte for each signal, 1 to 64. Its handler sets it, and may do no more than that; the one thread that follows
    // reads it and takes it back. A byte is written whole, and a signal that comes between both counts the next time.
    nonisolated(unsafe) private static let asked = UnsafeMutablePointer<UInt8>.allocate(capacity: 65)

    /// Prints a line on the stream it was printed on.
    static func show(_ line: LogLine) throws(VoltError) {
        if line.stream == "stdout" {
            try Output.line(bytes: line.bytes)
        } else {
            Output.note(bytes: line.bytes)
        }
    }

    /// Says that lines are missing, where they are.
    static func noteLoss(_ log: inout LogReader, _ name: Name) {
        guard log.takeLoss() else { return }
        Output.note("note: '\(name)' prints faster than this is read: lines are missing here")
    }

    /// - Parameter log: what of it was not read yet is shown.
    func follow(_ log: consuming LogReader) throws(VoltError) {
        if isForeground {
            Self.asked.initialize(repeating: 0, count: 65)
            for number in runtime.passedSignals { signal(number) { LogFollower.asked[Int($0)] = 1 } }
        }
        while true {
            let ended = try hasEnded()
            while let lines = try log.next() {
                Self.noteLoss(&log, name)
                for line in lines {
                    do throws(VoltError) { try Self.show(line) } catch  where isForeground {
                        // A container that runs in the foreground goes on, and its log is whole; the exit code says it.
                    }
                }
                try answerSignals()
            }
            if ended { return }
            try answerSignals()
            usleep(20_000)
        }
    }

    private func answerSignals() throws(VoltError) {
        guard isForeground else { return }
        for number in runtime.passedSignals where Self.asked[Int(number)] != 0 {
            Self.asked[Int(number)] = 0
            if number == SIGTERM {
                try runtime.stop(name)
            } else {
                try runtime.signal(name, number)
            }
        }
    }

    private func hasEnded() throws(VoltError) -> Bool {
        do throws(VoltError) {
            let state = try runtime.state(name).state
            return state == .exited || state == .created
        } catch  where error.code == .notFound { return true }
    }
}
