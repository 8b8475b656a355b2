internal import Synchronization
internal import VoltCore

/// Says how far something is: on a terminal a line that is drawn again and again, else one every five seconds.
public final class ProgressLine: Sendable {
    private struct State {
        var last: ContinuousClock.Instant
        var isDrawn = false
    }

    private let what: String
    private let isTerminal = Output.isTerminal(2)
    private let began = ContinuousClock.now
    private let state: Mutex<State>
    private let isQuiet: Bool

    /// - Parameters:
    ///   - what: is done, such as `push`.
    ///   - quiet: whether nothing is shown.
    public init(_ what: String, quiet: Bool) {
        self.what = what
        isQuiet = quiet
        state = Mutex(State(last: ContinuousClock.now))
    }

    /// Tells how many bytes are done, of how many when that is known.
    public func show(_ bytes: UInt64, of total: UInt64? = nil, entries: Int? = nil) {
        if isQuiet { return }
        let now = ContinuousClock.now
        let isDue = state.withLock { state in
            guard now - state.last >= (isTerminal ? .milliseconds(200) : .seconds(5)) else { return false }
            state.last = now
            state.isDrawn = true
            return true
        }
        if isDue { Output.draw(text(bytes, total, entries, now)) }
    }

    private func text(_ bytes: UInt64, _ total: UInt64?, _ entries: Int?, _ now: ContinuousClock.Instant)
        -> String
    {
        let seconds = max(0.001, Double((now - began).components.seconds) + 0.001)
        let rate = UInt64(Double(bytes) / seconds)
        var text = "\(what): \(ByteSize(bytes: bytes))"
        if let total, total > 0 { text += " of \(ByteSize(bytes: total))" }
        if let entries { text += ", \(entries) names" }
        text += ", \(ByteSize(bytes: rate))/s"
        if let total, rate > 0, total > bytes { text += ", \((total - bytes) / rate) s left" }
        return isTerminal ? "\r\u{1B}[K\(text)" : "\(text)\n"
    }

    /// Clears the line.
    public func end() {
        if isTerminal, state.withLock({ $0.isDrawn }) { Output.draw("\r\u{1B}[K") }
    }
}
