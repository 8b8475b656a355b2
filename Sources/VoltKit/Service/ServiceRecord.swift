internal import FoundationEssentials
internal import Glibc
public import VoltCore
public import VoltSystem

/// The server that runs, as a file in the runtime directory of its tool (`serve.json`) says it.
public struct ServiceRecord: Codable, Sendable, Equatable {
    /// Its process id.
    public var pid: Int32
    /// Where it listens.
    public var url: String
    /// When the process started, in clock ticks after boot; nil in a record of an earlier version.
    public var started: UInt64?

    /// The record of this process.
    public init(url: String) {
        pid = getpid()
        self.url = url
        started = Processes.startTime(getpid())
    }

    /// The path of the record in a runtime directory.
    public static func path(in directory: String) -> String { "\(directory)/serve.json" }

    /// The record in a runtime directory; nil when there is none.
    public static func read(in directory: String) -> ServiceRecord? {
        guard let bytes = try? Files.read(path(in: directory), limit: 4096) else { return nil }
        return try? JSONDecoder().decode(ServiceRecord.self, from: Data(bytes))
    }

    /// The server that runs; nil when the record is of one that has ended.
    public static func running(_ paths: HostPaths) -> ServiceRecord? {
        guard let record = read(in: paths.runtime), Processes.isAlive(record.pid) else { return nil }
        guard let started = record.started else { return record }
        return Processes.startTime(record.pid) == started ? record : nil
    }

    /// Writes it to a runtime directory.
    public func write(in directory: String) throws(VoltError) {
        guard let data = try? JSONEncoder().encode(self) else { return }
        try Files.replace(Self.path(in: directory), with: data)
    }

    /// Removes it from a runtime directory, unless another server has put its own there.
    public func remove(in directory: String) throws(VoltError) {
        if Self.read(in: directory) == self { try Files.remove(Self.path(in: directory)) }
    }
}
