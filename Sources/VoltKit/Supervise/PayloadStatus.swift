internal import Glibc
internal import VoltSystem
public import VoltWorkload

/// The state of a payload, in the file `status` of the instance's directory: one record of fixed size that is written in
/// place, so that years of health changes do not grow a file.
public struct PayloadStatus: Sendable, Equatable {
    /// How far the payload is.
    public enum Phase: String, Sendable {
        /// It was not executed yet.
        case launching
        /// The payload was executed.
        case running
        /// The payload ended.
        case exited
        /// The payload could not be executed.
        case failed
    }

    /// The size of the record in bytes.
    public static let size = 512

    /// How far the payload is.
    public var phase: Phase
    /// The exit code, when it ended or could not be executed.
    public var code: Int32
    /// The result of the health check.
    public var health: HealthState
    /// Failed tries in a row.
    public var failures: Int
    /// When the payload was executed, in milliseconds since 1970, or 0.
    public var started: Int64
    /// Why it could not be executed, or what the last failed try said.
    public var message: String

    /// - Parameters: see the properties.
    public init(
        phase: Phase = .launching, code: Int32 = 0, health: HealthState = .none, failures: Int = 0,
        started: Int64 = 0,
        message: String = ""
    ) {
        self.phase = phase
        self.code = code
        self.health = health
        self.failures = failures
        self.started = started
        self.message = message
    }

    /// The record, of exactly `size` bytes.
    public var encoded: [UInt8] {
        let text = "1 \(phase.rawValue) \(code) \(health.rawValue) \(failures) \(started) "
        let clean = message.utf8.map { $0 < 32 ? UInt8(ascii: " ") : $0 }
        var bytes = Array(text.utf8) + clean.prefix(Self.size - text.utf8.count - 1)
        bytes += [UInt8](repeating: UInt8(ascii: " "), count: Self.size - 1 - bytes.count)
        return bytes + [UInt8(ascii: "\n")]
    }

    /// Parses a record; nil when it is not one.
    public init?(decoding bytes: [UInt8]) {
        guard bytes.count == Self.size, bytes.last == UInt8(ascii: "\n") else { return nil }
        let fields = bytes.dropLast().split(
            separator: UInt8(ascii: " "), maxSplits: 6, omittingEmptySubsequences: false
        )
        .map { String(decoding: $0, as: UTF8.self) }
        guard fields.count == 7, fields[0] == "1", let phase = Phase(rawValue: fields[1]),
            let code = Int32(fields[2]),
            let failures = Int(fields[4]),
            let started = Int64(fields[5])
        else { return nil }
        var message = fields[6][...]
        while message.hasSuffix(" ") { message.removeLast() }
        self.init(
            phase: phase, code: code, health: HealthState(rawValue: fields[3]), failures: failures,
            started: started,
            message: String(message))
    }

    /// Writes the record at the start of an open file.
    public func write(to descriptor: Int32) { _ = pwrite(descriptor, encoded, Self.size, 0) }

    /// Writes the record as a new file.
    public func write(toFile path: String) { try? Files.replaceUnsynced(path, with: encoded) }
}
