import Synchronization
import VoltCore
import VoltRollout
import VoltWorkload

/// Other kinds of a host in memory, which say what a test tells them to.
final class MemoryKinds: OtherKinds {
    private let kinds = Mutex<[String: [String: WorkloadStatus]]>([:])

    /// Makes a kind say this about a workload; a kind that was never told anything is not installed.
    func set(_ kind: String, _ status: WorkloadStatus?) {
        kinds.withLock {
            $0[kind, default: [:]] = status.map { [$0.workload: $0] } ?? [:]
        }
    }

    func status(of workload: Name, kind: String) throws(VoltError) -> WorkloadStatus {
        guard let known = kinds.withLock({ $0[kind] }) else {
            throw VoltError(.missing, "'volt-\(kind)' is not installed")
        }
        guard let status = known[workload.text] else {
            throw VoltError(.notFound, "there is no workload '\(workload)'")
        }
        return status
    }

    func kind(having workload: Name, except excluded: [String]) -> String? {
        kinds.withLock { kinds in
            kinds.keys.sorted().first { other in
                !excluded.contains(other) && kinds[other]?[workload.text].map { $0.state != .absent } == true
            }
        }
    }
}
