internal import VoltCore

/// A line of the verb that a tool names as `instances` in its metadata: something that it runs on this host. See
/// docs/contract.md.
struct Instance: Decodable, Sendable {
    struct Spec: Decodable, Sendable {
        struct Port: Decodable, Sendable {
            let address: String
            let hostPort: Int
        }
        let name: String
        let image: String?
        let workload: String?
        let ports: [Port]?
    }
    let spec: Spec
    let state: String
    let health: String?
    let pid: Int32?
    let supervisor: Int32?
    let supervisedBy: String?
    let exitCode: Int32?
    let startedAt: Timestamp?
    let finishedAt: Timestamp?
    let restarts: Int?

    /// One a workload: while a new one is started beside the old, the one that was started last among those that run.
    static func current(_ instances: [Instance]) -> [Instance] {
        var best: [String: Instance] = [:]
        for instance in instances {
            let key = instance.spec.workload.map { "workload \($0)" } ?? "instance \(instance.spec.name)"
            func rank(_ line: Instance) -> (Int, Int64) {
                (line.state == "running" ? 1 : 0, line.startedAt?.milliseconds ?? 0)
            }
            if let other = best[key], rank(other) >= rank(instance) { continue }
            best[key] = instance
        }
        return Array(best.values)
    }
}
