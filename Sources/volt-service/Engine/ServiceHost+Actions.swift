public import VoltCore
internal import VoltPlugin
internal import VoltSystem
internal import VoltSystemd
internal import VoltWorkloadTool

extension ServiceHost {
    // MARK: Acting

    /// What can be done to a service.
    public enum Action: String, Sendable {
        case start, stop, restart
    }

    /// Starts, stops or restarts a service; one that is as it is wanted is left alone.
    public func perform(_ action: Action, on service: Service) throws(VoltError) {
        if let container = service.container, let tool = service.tool {
            let runs = ["running", "restarting"].contains(service.state)
            switch action {
            case .start where runs, .stop where !runs: return
            default: break
            }
            // Its tool remembers what is wanted; systemd would not.
            return try run(tool, [runs || action == .start ? action.rawValue : "start", container])
        }
        let (systemd, unit) = try unit(of: service)
        try systemd.control([action.rawValue, "--", unit], limit: .seconds(900))
    }

    /// Has a unit start with the machine, or not.
    ///
    /// - Parameter now: whether it is started or stopped at once, too.
    public func setEnabled(_ enabled: Bool, now: Bool, _ service: Service) throws(VoltError) {
        if service.container != nil || service.kind == .workload {
            throw VoltError(
                .usage, "\(service.kind.rawValue) '\(service.name)' is not a unit that is enabled",
                hint: enabled
                    ? "its 'restart' in the manifest decides; 'volt service start \(service.name)' starts it"
                    : "'volt service stop \(service.name)' stops it until it is started or deployed again")
        }
        let (systemd, unit) = try unit(of: service)
        try systemd.control(
            [enabled ? "enable" : "disable", "--quiet"] + (now ? ["--now"] : []) + ["--", unit],
            limit: .seconds(900))
    }

    /// The unit of a service.
    func unit(of service: Service) throws(VoltError) -> (Systemd, String) {
        if service.unit == nil, let tool = service.tool, [.workload, .kind].contains(service.kind) {
            throw VoltError(
                .usage, "'\(service.name)' is an affair of 'volt-\(tool)' alone, which has no unit for it",
                hint: "see 'volt \(tool) --help'")
        }
        guard service.kind != .part else {
            throw VoltError(
                .usage, "'\(service.unit ?? service.name)' is a part of a workload",
                hint: "name the workload; 'volt service list' shows them")
        }
        guard let systemd, let unit = service.unit else { throw Self.withoutSystemd(service.name) }
        return (systemd, unit)
    }

    private func run(_ tool: String, _ arguments: [String]) throws(VoltError) {
        guard let path = plugins.path(of: tool) else {
            throw VoltError(.missing, "'volt-\(tool)' is not installed")
        }
        let answer = try ToolCommand(path: path, environment: environment)
            .ask(arguments, limit: .seconds(300))
        guard answer.outcome != .exited(0) else { return }
        let said = answer.reason
        let reason = said.firstRange(of: "error: ").map { String(said[$0.upperBound...]) } ?? said
        throw VoltError(.failed, "'volt \(tool) \(arguments.joined(separator: " "))' failed: \(reason)")
    }

    // MARK: Logs

    /// The program that shows the log of a service, and its arguments.
    ///
    /// - Parameters:
    ///   - lines: how many of the last lines.
    ///   - json: whether each entry of the journal is wanted as a JSON object.
    public func logCommand(of service: Service, lines: Int, follow: Bool, json: Bool) throws(VoltError)
        -> (program: String, arguments: [String])
    {
        if let container = service.container, let tool = service.tool, !json {
            guard let path = plugins.path(of: tool) else {
                throw VoltError(.missing, "'volt-\(tool)' is not installed")
            }
            return (path, ["logs", "--tail", "\(lines)"] + (follow ? ["--follow"] : []) + [container])
        }
        guard let systemd, let unit = service.unit else {
            guard let container = service.container, let tool = service.tool else {
                _ = try self.unit(of: service)
                throw Self.withoutSystemd(service.name)
            }
            throw VoltError(
                .missing,
                "'\(service.name)' has no log as JSON: that is systemd's journal, which is not here",
                hint: "'volt \(tool) logs \(container)' shows the lines")
        }
        return try systemd.journalCommand(of: unit, lines: lines, follow: follow, json: json)
    }
}
