internal import FoundationEssentials
public import VoltCore
internal import VoltSystem
public import VoltWorkload

/// The tool of a kind, `volt-<kind>`, as docs/contract.md has it. Everything blocks the calling thread.
public struct WorkloadTool: Sendable {
    /// The kind of workload.
    public let kind: String
    let command: ToolCommand

    /// - Parameters:
    ///   - kind: the kind of workload.
    ///   - command: the program that applies it.
    public init(kind: String, command: ToolCommand) {
        self.kind = kind
        self.command = command
    }

    /// The absolute path of the program.
    public var path: String { command.path }

    /// The state of a workload; a workload that is not there has the state `absent`.
    ///
    /// - Throws: `VoltError`; code `notFound` when the tool says so by its exit code.
    public func status(of workload: Name) throws(VoltError) -> WorkloadStatus {
        try command.ask(
            ["status", "--workload", workload.text, "-o", "json"], limit: WorkloadLimits.status,
            bytes: WorkloadLimits.statusBytes
        ).decode(WorkloadStatus.self, "the status of a workload")
    }

    /// The states of all workloads of the kind; nil when the tool cannot list them.
    public func list() throws(VoltError) -> [WorkloadStatus]? {
        let answer = try command.ask(
            ["list", "-o", "json"], limit: WorkloadLimits.list, bytes: WorkloadLimits.listBytes)
        if answer.outcome == .exited(ExitCode.usage.rawValue) { return nil }
        return try answer.decode([WorkloadStatus].self, "a list of workloads")
    }

    /// Removes a workload.
    ///
    /// - Parameter volumes: whether its named volumes go as well.
    /// - Returns: whether there was one.
    public func remove(_ workload: Name, volumes: Bool = false) throws(VoltError) -> Bool {
        let answer = try command.ask(
            ["remove", "--workload", workload.text] + (volumes ? ["--volumes"] : []),
            limit: WorkloadLimits.remove)
        switch answer.outcome {
        case .exited(0): return true
        case .exited(ExitCode.notFound.rawValue): return false
        default:
            throw VoltError(
                answer.outcome.code, "workload '\(workload)' was not removed: \(answer.reason)",
                hint: answer.failure?.hint)
        }
    }

    /// What an apply would do, a line a service; nil when the tool has no `--dry-run`.
    ///
    /// - Throws: `VoltError` with the words of the tool; code `notFound` when an image of the request is no longer
    ///   to be had.
    public func plan(_ request: ApplyRequest, limit: Duration = WorkloadLimits.plan) throws(VoltError)
        -> [ServicePlan]?
    {
        let planned = try planOnce(request, limit: limit)
        // A tool of an earlier contract knows of no other kinds, and does not mind them.
        guard planned == nil, !request.replacedKinds.isEmpty else { return planned }
        var plain = request
        plain.replacedKinds = []
        return try planOnce(plain, limit: limit)
    }

    private func planOnce(_ request: ApplyRequest, limit: Duration) throws(VoltError) -> [ServicePlan]? {
        var services: [ServicePlan] = []
        var failure: ToolFailure?
        var last = ""
        let outcome = try Child.start(path, request.words(limit: nil), environment: command.environment)
            .finish(limit: limit, grace: WorkloadLimits.grace) { _, line in
                if let event = ApplyEvent(line: line) {
                    if case .plan(let service) = event { services.append(service) }
                } else if let said = ToolFailure(line: line) {
                    failure = said
                } else if ToolText.isReason(line) {
                    last = ToolText.cut(line)
                }
            }
        switch outcome {
        case .exited(0): return services
        case .exited(ExitCode.usage.rawValue): return nil
        default:
            let reason = failure?.error ?? (last.isEmpty ? "'volt-\(kind) apply' \(outcome.words)" : last)
            throw VoltError(outcome.code, reason, hint: failure?.hint)
        }
    }
}

extension ApplyEvent {
    /// The event that a line has, or nil when the line is something else.
    init?(line: String) {
        guard line.first == "{",
            let event = try? JSONDecoder().decode(ApplyEvent.self, from: Data(line.utf8))
        else { return nil }
        self = event
    }
}
