import GitopsEngine
import VoltCLI
import VoltCore
import VoltSystem

/// Shows an attempt as it goes on: the lines of its log on stdout, its steps on stderr, and on a terminal one
/// line that says what it is at.
final class AttemptFollower {
    private let gitops: Gitops
    private let clock: any WallClock
    private let drawsProgress = Output.isTerminal(2)
    private var frame = 0

    init(_ gitops: Gitops, clock: any WallClock) {
        self.gitops = gitops
        self.clock = clock
    }

    /// Follows what is under way, or what comes next, to its end.
    func run(_ name: String) throws {
        var open = try gitops.openAttempt(name)
        if open == nil {
            Output.note("nothing is under way; waiting for the next attempt of '\(name)'")
            open = try gitops.nextAttempt(name)
        }
        guard let open else { return }
        Output.note("attempt \(open.id): \(PrintableText.logLine(open.note))")
        let attempt = try gitops.follow(open.id) { (event) throws(VoltError) in try show(event) }
        clear()
        for line in Why.lines(attempt, now: clock.now()) { Output.note(line) }
    }

    private func show(_ event: FollowEvent) throws(VoltError) {
        switch event {
        case .step(let step):
            clear()
            Output.note("\(step.at.tableText) \(step.state.rawValue)")
        case .line(let line):
            clear()
            try Output.line(PrintableText.logLine(line))
        case .waiting(let attempt):
            guard drawsProgress else { return }
            let frames = ["|", "/", "-", "\\"]
            frame = (frame + 1) % frames.count
            let since = clock.now().since(attempt.startedAt ?? attempt.acceptedAt)
            let commit = attempt.commit.map { " \($0.prefix(7))" } ?? ""
            Output.draw(
                "\r\u{1B}[K\(frames[frame]) \(attempt.state.rawValue)\(commit)  \(Why.seconds(since))")
        }
    }

    private func clear() { if drawsProgress { Output.draw("\r\u{1B}[K") } }
}
