internal import FoundationEssentials
internal import Glibc
public import VoltCore
internal import VoltPlugin
internal import VoltSystem

/// What Volt keeps running on this host: units of systemd, and the workloads that its tools know.
public struct ServiceHost: Sendable {
    /// The service manager; nil where PID 1 is not systemd.
    public let systemd: Systemd?
    let environment: [String: String]
    private let plugins: PluginSearch

    /// - Parameters:
    ///   - systemd: the service manager, or nil.
    ///   - environment: handed on to `volt-container` and `volt-gitops`.
    ///   - selfPath: the absolute path of this program, beside which the tools are looked for.
    public init(systemd: Systemd?, environment: [String: String], selfPath: String) {
        self.systemd = systemd
        self.environment = environment
        plugins = PluginSearch(environment: environment, selfPath: selfPath)
    }

    /// All that is known, and what kept the rest from being known.
    public struct Overview: Sendable {
        /// By kind and name.
        public var services: [Service] = []
        /// Each a line for people.
        public var notes: [String] = []
    }

    // MARK: Looking

    /// Everything Volt keeps running, whether or not it runs now.
    public func overview() throws(VoltError) -> Overview {
        var overview = Overview()
        var units = try systemd?.units() ?? []
        let server: GitopsStatus? = ask("gitops", ["status", "-o", "json"], &overview.notes)
        let containers: [ContainerLine] =
            ask("container", ["ps", "--all", "-o", "json"], &overview.notes) ?? []
        for container in Self.current(containers) {
            // The name of the unit is the tool's own affair; its main process is the supervisor.
            let index = units.firstIndex { $0.pid != nil && $0.pid == container.supervisor }
            let unit = index.map { units.remove(at: $0) }
            overview.services.append(Service(container: container, unit: unit))
        }
        for unit in units {
            var service = Service(unit: unit)
            if let running = server?.server, service.pid == running.pid { service.listens = running.url }
            overview.services.append(service)
        }
        if let server, !overview.services.contains(where: { $0.name == "volt-gitops" && $0.unit != nil }) {
            overview.services.append(Service(server: server.server))
        }
        let order: [Service.Kind] = [.service, .socket, .timer, .workload, .container, .part]
        overview.services.sort {
            let (left, right) = (order.firstIndex(of: $0.kind) ?? 0, order.firstIndex(of: $1.kind) ?? 0)
            return (left, $0.name) < (right, $1.name)
        }
        return overview
    }

    /// One container a workload: while a new one is started beside the old, the one that was started last
    /// among those that run.
    static func current(_ containers: [ContainerLine]) -> [ContainerLine] {
        var best: [String: ContainerLine] = [:]
        for container in containers {
            let key = container.spec.workload.map { "workload \($0)" } ?? "container \(container.spec.name)"
            func rank(_ line: ContainerLine) -> (Int, Int64) {
                (line.state == "running" ? 1 : 0, line.startedAt?.milliseconds ?? 0)
            }
            if let other = best[key], rank(other) >= rank(container) { continue }
            best[key] = container
        }
        return Array(best.values)
    }

    /// What a tool of Volt answers; nil when it is not installed, was never used, or cannot answer.
    private func ask<Answer: Decodable>(_ tool: String, _ arguments: [String], _ notes: inout [String])
        -> Answer?
    {
        // A tool that keeps nothing on this host has nothing to tell, and asking must not make it begin.
        guard let paths = try? HostPaths(tool: tool, environment: environment),
            Files.isDirectory(paths.state),
            let path = plugins.path(of: tool)
        else { return nil }
        var output = ""
        var said = ""
        let child = try? Child.start(path, arguments, environment: environment)
        guard let child else { return nil }
        let outcome = child.finish(limit: .seconds(30)) { stream, line in
            if stream == .stdout { output += line + "\n" } else { said = line }
        }
        if outcome == .exited(0), let answer = try? JSONDecoder().decode(Answer.self, from: Data(output.utf8))
        {
            return answer
        }
        let reason = (try? JSONDecoder().decode(Failure.self, from: Data(said.utf8)))?.error ?? "\(outcome)"
        notes.append("what 'volt \(tool)' runs is not shown: \(reason)")
        return nil
    }

    private struct Failure: Decodable { let error: String }

    /// The one service that a name means: its own, with or without `volt-` and `.service`, or that of a
    /// container.
    ///
    /// - Throws: `VoltError` with code `notFound`, or `missing` when only systemd could know it.
    public func find(_ name: String, in overview: Overview) throws(VoltError) -> Service {
        let services = overview.services
        let short = name.hasSuffix(".service") ? String(name.dropLast(8)) : name
        let found =
            services.first { $0.name == short && $0.kind != .part }
            ?? services.first { $0.name == "volt-\(short)" && $0.kind != .part }
            ?? services.first { $0.container == name }
            ?? services.first { $0.unit == name || $0.name == short }
        if let found { return found }
        if systemd == nil, short.hasPrefix("volt-") || short == "gitops" { throw Self.withoutSystemd(name) }
        let names = services.filter { $0.kind != .part }.map(\.name)
        let near = EditDistance.suggestions(for: short, among: names, limit: 1).first
        let hint =
            near.map { "did you mean '\($0)'?" }
            ?? (["gitops", "volt-gitops"].contains(short)
                ? "write its unit with 'volt gitops install-service'"
                : "'volt service list' shows those there are")
        throw VoltError(.notFound, "there is no service or workload '\(name)'", hint: hint)
    }

    /// The error of everything that needs systemd where it is not PID 1.
    static func withoutSystemd(_ name: String) -> VoltError {
        VoltError(
            .missing, "'\(name)' is no unit here: systemd is not PID 1 on this host",
            hint:
                "run 'volt gitops serve' under the supervisor of this host; 'volt container ps' shows the containers, which need none"
        )
    }

    // MARK: Acting

    /// What can be done to a service.
    public enum Action: String, Sendable {
        case start, stop, restart
    }

    /// Starts, stops or restarts a service; one that is as it is wanted is left alone.
    public func perform(_ action: Action, on service: Service) throws(VoltError) {
        if let container = service.container {
            let runs = ["running", "restarting"].contains(service.state)
            switch action {
            case .start where runs, .stop where !runs: return
            default: break
            }
            // Its tool remembers what is wanted; systemd would not.
            return try run("container", [runs || action == .start ? action.rawValue : "start", container])
        }
        let (systemd, unit) = try unit(of: service)
        try systemd.control([action.rawValue, "--", unit], limit: .seconds(900))
    }

    /// Has a unit start with the machine, or not.
    ///
    /// - Parameter now: whether it is started or stopped at once, too.
    public func setEnabled(_ enabled: Bool, now: Bool, _ service: Service) throws(VoltError) {
        if service.container != nil {
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
        guard let systemd, let unit = service.unit else { throw Self.withoutSystemd(service.name) }
        guard service.kind != .part else {
            throw VoltError(
                .usage, "'\(unit)' is a part of a workload",
                hint: "name the workload; 'volt service list' shows them")
        }
        return (systemd, unit)
    }

    private func run(_ tool: String, _ arguments: [String]) throws(VoltError) {
        guard let path = plugins.path(of: tool) else {
            throw VoltError(.missing, "'volt-\(tool)' is not installed")
        }
        var said = ""
        let outcome = try Child.start(path, arguments, environment: environment)
            .finish(limit: .seconds(300)) { stream, line in
                if stream == .stderr, line.contains("error: ") { said = line }
            }
        guard outcome != .exited(0) else { return }
        let reason =
            said.firstRange(of: "error: ").map { String(said[$0.upperBound...]) }
            ?? "it ended with \(outcome)"
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
        if let container = service.container, !json {
            guard let path = plugins.path(of: "container") else {
                throw VoltError(.missing, "'volt-container' is not installed")
            }
            return (path, ["logs", "--tail", "\(lines)"] + (follow ? ["--follow"] : []) + [container])
        }
        guard systemd != nil, let unit = service.unit else {
            guard let container = service.container else { throw Self.withoutSystemd(service.name) }
            throw VoltError(
                .missing,
                "'\(service.name)' has no log as JSON: that is systemd's journal, which is not here",
                hint: "'volt container logs \(container)' shows the lines")
        }
        return (
            try Systemd.program("journalctl"),
            ["--no-pager", "--unit=\(unit)", "--lines=\(lines)", "--output=\(json ? "json" : "short-iso")"]
                + (follow ? ["--follow"] : [])
        )
    }
}
