public import VoltCore
internal import VoltSystem

/// The kinds whose `start --all` has ended since the host was started: a file for each, `started/<kind>` below
/// `/run/volt`, which goes away with the machine. Who would start their workloads otherwise leaves those alone that run.
public struct StartedKinds: Sendable {
    private let directory: String

    /// - Parameter hostRuntime: see `HostPaths.hostRuntime`.
    public init(hostRuntime: String) { directory = "\(hostRuntime)/started" }

    /// Notes that everything of a kind was looked at.
    public func note(_ kind: String) throws(VoltError) {
        try Files.makeDirectory(directory, mode: 0o755)
        try Files.replaceUnsynced("\(directory)/\(kind)", with: Array("1\n".utf8))
    }

    /// Whether everything of a kind was looked at.
    public func has(_ kind: String) -> Bool { Files.exists("\(directory)/\(kind)") }
}
