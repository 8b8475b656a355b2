public import VoltCore
internal import VoltSystem
public import VoltWorkload
public import VoltWorkloadTool

/// The other kinds of workload of a host.
public protocol OtherKinds: Sendable {
    /// The state of a workload by the tool of its kind.
    ///
    /// - Throws: `VoltError`; code `missing` when the tool is not installed, `notFound` when it has no such workload.
    func status(of workload: Name, kind: String) throws(VoltError) -> WorkloadStatus
    /// The first kind that has a workload; those that cannot list theirs are left out.
    func kind(having workload: Name, except kinds: [String]) -> String?
}

extension WorkloadKinds: OtherKinds {
    /// See `OtherKinds`.
    public func status(of workload: Name, kind: String) throws(VoltError) -> WorkloadStatus {
        try find(kind).status(of: workload)
    }

    /// See `OtherKinds`.
    public func kind(having workload: Name, except kinds: [String]) -> String? {
        for tool in all() where !kinds.contains(tool.kind) {
            let list = try? tool.list()
            if list?.contains(where: { $0.workload == workload.text && $0.state != .absent }) == true {
                return tool.kind
            }
        }
        return nil
    }
}
