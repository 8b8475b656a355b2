internal import NIOCore

/// Closes a connection at its deadline. A deadline changes several times in a request, so the task of the event loop is
/// moved when it fires, and made anew only when it would come too late.
final class HTTPTimer {
    private var context: ChannelHandlerContext?
    private var task: Scheduled<Void>?
    private var due = NIODeadline.distantFuture
    private var deadline = NIODeadline.distantFuture
    /// Whether several deadlines come one after the other, of which the last counts: `arm` is called afterwards.
    var isHeld = false

    /// Begins to count for a connection.
    func start(_ context: ChannelHandlerContext) { self.context = context }

    /// Ends for good.
    func stop() {
        task?.cancel()
        context = nil
    }

    /// Closes the connection after some seconds, unless something happens before.
    func expire(after seconds: Int64) {
        deadline = .now() + .seconds(seconds)
        if !isHeld { arm() }
    }

    /// Lets the connection be until the next call of `expire`.
    func rest() { deadline = .distantFuture }

    /// Sees to it that the task comes in time.
    func arm() {
        guard deadline < due, let context else { return }
        task?.cancel()
        due = deadline
        let bound = NIOLoopBound(self, eventLoop: context.eventLoop)
        task = context.eventLoop.scheduleTask(deadline: deadline) { bound.value.fire() }
    }

    private func fire() {
        due = .distantFuture
        if deadline <= .now() { context?.close(promise: nil) } else { arm() }
    }
}

/// How fast a body comes that is handed on.
struct HTTPPace {
    private let begun = NIODeadline.now()
    private var count: Int64 = 0

    /// Counts bytes that came; whether they all came too slowly.
    mutating func drips(after bytes: Int, _ limits: HTTPLimits) -> Bool {
        count += Int64(bytes)
        let seconds = (NIODeadline.now() - begun).nanoseconds / 1_000_000_000
        return seconds >= limits.stallSeconds && count / max(1, seconds) < limits.slowestBody
    }
}
