internal import NIOPosix

/// Threads for work that blocks, beside those of the connections.
public final class HTTPWorkers: Sendable {
    private let pool: NIOThreadPool

    /// - Parameter threads: how much is done at a time; more waits in its order.
    public init(threads: Int) {
        pool = NIOThreadPool(numberOfThreads: threads)
        pool.start()
    }

    /// Does something on one of the threads; after `stop` nothing.
    public func run(_ body: @escaping @Sendable () -> Void) {
        pool.submit { state in if case .active = state { body() } }
    }

    /// Waits for what is being done, and ends the threads.
    public func stop() { try? pool.syncShutdownGracefully() }
}
