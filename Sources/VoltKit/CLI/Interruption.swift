internal import Dispatch
internal import Glibc
public import VoltCore

/// SIGTERM or SIGINT came while work was under way, and the work undid what it had begun.
public struct Interruption: Error, Sendable {
    /// Whether it was SIGINT, the key of the person at the terminal.
    public let isFromTerminal: Bool

    /// The error of a command that was stopped so: `interrupted` by the person at the terminal, else `tryAgain`.
    public func error(_ message: String = "stopped by a signal") -> VoltError {
        VoltError(isFromTerminal ? .interrupted : .tryAgain, message)
    }

    /// Runs work that is cancelled by SIGTERM and SIGINT. From then on the process ignores both outside of
    /// such work.
    ///
    /// - Throws: `Interruption` when a signal stopped the work, else what the work throws.
    public static func stopping<Result: Sendable>(
        _ work: @escaping @Sendable () async throws -> Result
    ) async throws -> Result {
        let task = Task { try await work() }
        let sources = [SIGTERM, SIGINT].map { number in
            signal(number, SIG_IGN)
            let source = DispatchSource.makeSignalSource(signal: number, queue: .global())
            source.setEventHandler { task.cancel() }
            source.resume()
            return source
        }
        defer { sources.forEach { $0.cancel() } }
        do { return try await task.value } catch is CancellationError {
            throw Interruption(isFromTerminal: sources[1].data > 0)
        }
    }
}
