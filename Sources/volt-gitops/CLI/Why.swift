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
            "    made by \(attempt.trigger.rawValue)\(printable(delivery)): \(printable(made ?? attempt.note))",
            "    \(printable(attempt.decision ?? attempt.wait?.reason ?? "not decided yet"))",
        ]
    }

    /// Whole seconds, as people read them: `12s`, `2m5s`.
    static func seconds(_ duration: Duration) -> String {
        duration < .seconds(1) ? "0s" : DurationText.format(.seconds(duration.milliseconds / 1000))
    }

    /// A text without control characters, so that data cannot drive the terminal.
    static func printable(_ text: String) -> String {
        String(
            String.UnicodeScalarView(
                text.unicodeScalars.map { $0.value < 32 && $0.value != 9 || $0.value == 127 ? "?" : $0 }))
    }
}
