/// The exit codes of every Volt tool; the table stands in `docs/contract.md`.
public enum ExitCode: Int32, Sendable, CaseIterable {
    /// Done.
    case ok = 0
    /// Failed.
    case failed = 1
    /// Several objects were asked for and some of them failed.
    case partial = 2
    /// The object does not exist.
    case notFound = 3
    /// The object exists already, or is in a state that does not allow this.
    case conflict = 4
    /// Refused: permission, signature or policy.
    case refused = 5
    /// Wrong usage (`EX_USAGE` of sysexits.h).
    case usage = 64
    /// A needed component is missing; the message says which package (`EX_UNAVAILABLE`).
    case missing = 69
    /// The disk is full, or the host cannot read or write (`EX_IOERR`).
    case inputOutput = 74
    /// Try again later (`EX_TEMPFAIL`).
    case tryAgain = 75
    /// The runtime failed before the payload could start, as podman has it.
    case runtimeFailed = 125
    /// The payload was found and cannot be run.
    case cannotRun = 126
    /// The payload was not found.
    case commandNotFound = 127
    /// Ended by SIGINT.
    case interrupted = 130
}
