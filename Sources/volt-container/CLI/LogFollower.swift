internal import ContainerEngine
internal import Glibc
internal import VoltCLI
internal import VoltCore
internal import VoltSystem

/// Prints what a container prints, until it has ended.
struct LogFollower {
    let runtime: ContainerRuntime
    let name: Name
    /// Whether SIGINT and SIGTERM stop the container, as they do when it is run in the foreground.
    let stopsOnSignal: Bool

    // Set by a handler, which may do no more than that.
    nonisolated(unsafe) private static var isAsked: sig_atomic_t = 0

    /// Prints a line on the stream it was printed on.
    static func show(_ line: LogLine) throws(VoltError) {
        if line.stream == "stdout" { try Output.line(line.text) } else { Output.note(line.text) }
    }

    /// - Parameter position: where in the log to begin, in bytes.
    func follow(from position: Int) throws(VoltError) {
        if stopsOnSignal {
            for number in [SIGINT, SIGTERM] { signal(number) { _ in LogFollower.isAsked = 1 } }
        }
        var position = position
        while true {
            let ended = try hasEnded()
            for line in try runtime.log(name, from: &position) {
                do throws(VoltError) { try Self.show(line) } catch  where stopsOnSignal {
                    // A container that runs in the foreground goes on, and its log is whole; the exit code says it.
                }
            }
            if ended { return }
            if Self.isAsked != 0 {
                Self.isAsked = 0
                try runtime.stop(name)
            }
            usleep(20_000)
        }
    }

    private func hasEnded() throws(VoltError) -> Bool {
        do throws(VoltError) {
            let state = try runtime.state(name).state
            return state == .exited || state == .created
        } catch  where error.code == .notFound { return true }
    }
}
