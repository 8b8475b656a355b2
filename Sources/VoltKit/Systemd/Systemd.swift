public import VoltCore
public import VoltSystem

/// The service manager of this host, over its command line tools. Everything blocks the calling thread.
public struct Systemd: Sendable {
    /// Where systemd keeps the units of the administrator.
    public static let unitDirectory = "/etc/systemd/system"

    /// The manager, or nil where PID 1 is not systemd (sd_booted(3)).
    public static var current: Systemd? { Files.isDirectory("/run/systemd/system") ? Systemd() : nil }

    /// The end of a program of systemd, and what it printed.
    public struct Reply: Sendable {
        /// How it ended.
        public var outcome: Child.Outcome
        /// The lines of stdout.
        public var output: [String] = []
        /// The lines of stderr.
        public var errors: [String] = []

        /// The reason for people: the first line of stderr, or how it ended.
        public var reason: String { errors.first { !$0.isEmpty } ?? "it ended with \(outcome)" }
    }

    /// The path of a program of systemd.
    ///
    /// - Throws: `VoltError` with code `missing`.
    public static func program(_ name: String) throws(VoltError) -> String {
        guard let path = ["/usr/bin/\(name)", "/bin/\(name)"].first(where: Files.exists) else {
            throw VoltError(.missing, "'\(name)' is not installed", hint: "install the package systemd")
        }
        return path
    }

    /// Runs a program of systemd to its end.
    ///
    /// - Parameter limit: afterwards it is killed.
    public static func run(_ name: String, _ arguments: [String], limit: Duration = .seconds(120))
        throws(VoltError) -> Reply
    {
        var output: [String] = []
        var errors: [String] = []
        let outcome = try Child.start(
            program(name), arguments,
            environment: ["LC_ALL": "C.UTF-8", "PATH": "/usr/sbin:/usr/bin:/sbin:/bin"]
        )
        .finish(limit: limit) { stream, line in
            if stream == .stdout { output.append(line) } else { errors.append(line) }
        }
        return Reply(outcome: outcome, output: output, errors: errors)
    }

    /// Runs `systemctl`, whose failure is an error with the line it said.
    ///
    /// - Returns: the lines it printed.
    @discardableResult
    public func control(_ arguments: [String], limit: Duration = .seconds(120)) throws(VoltError) -> [String]
    {
        let reply = try Self.run("systemctl", arguments, limit: limit)
        guard reply.outcome != .exited(0) else { return reply.output }
        let command = "systemctl " + arguments.filter { !$0.hasPrefix("--") }.joined(separator: " ")
        let said = reply.errors.first { !$0.isEmpty }.map { ": \($0)" } ?? " with \(reply.outcome)"
        let unit = arguments.last { UnitName.isValid($0) }
        let isDenied = reply.errors.contains {
            $0.contains("authentication required") || $0.contains("denied")
        }
        throw VoltError(
            isDenied ? .refused : .failed, "'\(command)' failed\(said)",
            hint: isDenied
                ? "run the command with sudo" : unit.map { "'volt service logs \($0)' may say why" })
    }

    /// Has systemd read the unit files again.
    public func reload() throws(VoltError) { try control(["daemon-reload"]) }

    /// The full names of the units that are loaded or have a file, each once; templates are left out.
    ///
    /// - Parameters:
    ///   - patterns: names in which `*` stands for anything.
    ///   - types: such as `service`.
    public func unitNames(_ patterns: [String], types: [String]) throws(VoltError) -> Set<String> {
        let plain = [
            "--no-legend", "--no-pager", "--plain", "--full", "--type=\(types.joined(separator: ","))", "--",
        ]
        var names: Set<String> = []
        for verb in [["list-unit-files"], ["list-units", "--all"]] {
            // list-unit-files ends with 1, and without a word, when there is none.
            let reply = try Self.run("systemctl", verb + plain + patterns)
            if let said = reply.errors.first(where: { !$0.isEmpty }) {
                throw VoltError(.failed, "'systemctl \(verb[0])' failed: \(said)")
            }
            for line in reply.output {
                // The first word is the name; a template has no state of its own.
                guard let name = line.split(separator: " ").first, !name.contains("@.") else { continue }
                names.insert(String(name))
            }
        }
        return names
    }

    /// The states of units by their full names; those that are not there are left out.
    public func states(of names: [String]) throws(VoltError) -> [UnitState] {
        guard !names.isEmpty else { return [] }
        let lines = try control(
            [
                "show", "--no-pager", "--timestamp=unix",
                "--property=\(UnitState.properties.joined(separator: ","))", "--",
            ] + names)
        return UnitState.parse(lines).filter { $0.load != "not-found" }
    }

    /// The program that shows the journal of a unit, and its arguments.
    ///
    /// - Parameters:
    ///   - lines: how many of the last entries.
    ///   - follow: whether it goes on as entries come.
    ///   - json: whether each entry is a JSON object on a line.
    public func journalCommand(of unit: String, lines: Int, follow: Bool, json: Bool) throws(VoltError)
        -> (program: String, arguments: [String])
    {
        (
            try Self.program("journalctl"),
            ["--no-pager", "--unit=\(unit)", "--lines=\(lines)", "--output=\(json ? "json" : "short-iso")"]
                + (follow ? ["--follow"] : [])
        )
    }
}
