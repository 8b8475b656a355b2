public import VoltCore
internal import VoltWorkloadTool

/// The kind of a pipeline's workload, and whether its tool is there.
public struct WorkloadKindState: Codable, Sendable, Equatable {
    /// The kind that was deployed last.
    public var kind: String
    /// Why its tool cannot be asked, such as that it is not installed any more; nil when it can.
    public var problem: String?
    /// Kinds that had the workload before and have not given it up yet.
    public var formerKinds: [String]?

    /// - Parameters: see the properties.
    public init(kind: String, problem: String? = nil, formerKinds: [String]? = nil) {
        self.kind = kind
        self.problem = problem
        self.formerKinds = formerKinds
    }
}

extension Gitops {
    /// The kind of a pipeline's workload; nil when nothing is deployed. No tool is run.
    public func kindState(of pipeline: Pipeline, _ journal: Journal) throws(VoltError) -> WorkloadKindState? {
        let change = kindChange(journal)
        guard let kind = try change.deployedKind(of: pipeline) else { return nil }
        let former = try change.others(than: kind, of: pipeline)
        var state = WorkloadKindState(
            kind: kind, problem: nil, formerKinds: former.isEmpty ? nil : former)
        do throws(VoltError) { _ = try kinds.find(kind) } catch { state.problem = error.message }
        return state
    }
}
