import GitopsEngine
import VoltCLI
import VoltCore

/// The words of `logs --why`.
enum Why {
    /// Two or three lines on an attempt: what it was, what made it, why it ended so.
    static func lines(_ attempt: Attempt, now: Timestamp) -> [String] {
        let commit = attempt.commit.map { String($0.prefix(7)) } ?? "-"
        let end = attempt.finishedAt ?? now
        let duration = seconds(end.since(attempt.startedAt ?? end))
        let delivery = attempt.delivery.map { ", delivery \($0)" } ?? ""
        // What follows the colon is how it ended, which the decision has.
        let made = attempt.note.firstRange(of: ": ").map { String(attempt.note[..<$0.lowerBound]) }
        return [
            "\(attempt.id)  \(attempt.acceptedAt.tableText)  \(commit)  \(attempt.status)  \(duration)",
            "    made by \(attempt.trigger.rawValue)\(PrintableText.logLine(delivery)): \(PrintableText.logLine(made ?? attempt.note))",
            "    \(PrintableText.logLine(attempt.decision ?? attempt.wait?.reason ?? "not decided yet"))",
        ]
    }

    /// Whole seconds, as people read them: `12s`, `2m5s`.
    static func seconds(_ duration: Duration) -> String {
        duration < .seconds(1) ? "0s" : DurationText.format(.seconds(duration.milliseconds / 1000))
    }
}
