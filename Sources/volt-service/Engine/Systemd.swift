internal import Glibc
internal import VoltCore
internal import VoltSystem

/// The service manager of this host, over its command line tools. Everything blocks the calling thread.
public struct Systemd: Sendable {
    /// Where systemd keeps the units of the administrator.
    static let unitDirectory = "/etc/systemd/system"

    /// The manager, or nil where PID 1 is not systemd (sd_booted(3)).
    public static var current: Systemd? { Files.isDirectory("/run/systemd/system") ? Systemd() : nil }

    /// What a program of systemd printed and how it ended.
    struct Reply: Sendable {
        var outcome: Child.Outcome
        var output: [String] = []
        var errors: [String] = []
    }

    /// The path of a program of systemd.
    static func program(_ name: String) throws(VoltError) -> String {
        guard let path = ["/usr/bin/\(name)", "/bin/\(name)"].first(where: Files.exists) else {
            throw VoltError(.missing, "'\(name)' is not installed", hint: "install the package systemd")
        }
        return path
    }

    /// Runs a program of systemd to its end.
    static func run(_ name: String, _ arguments: [String], limit: Duration = .seconds(120)) throws(VoltError)
        -> Reply
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

    /// Runs `systemctl`, whose failure is an error with the last line it said.
    @discardableResult
    func control(_ arguments: [String], limit: Duration = .seconds(120)) throws(VoltError) -> [String] {
        let reply = try Self.run("systemctl", arguments, limit: limit)
        guard reply.outcome != .exited(0) else { return reply.output }
        let command = "systemctl " + arguments.filter { !$0.hasPrefix("--") }.joined(separator: " ")
        let said = reply.errors.first { !$0.isEmpty }.map { ": \($0)" } ?? " with \(reply.outcome)"
        let unit = arguments.last { $0.hasPrefix("volt-") }
        let isDenied = reply.errors.contains {
            $0.contains("authentication required") || $0.contains("denied")
        }
        throw VoltError(
            isDenied ? .refused : .failed, "'\(command)' failed\(said)",
            hint: isDenied
                ? "run the command with sudo" : unit.map { "'volt service logs \($0)' may say why" })
    }

    /// The units of Volt that are loaded or have a file, each once.
    func units() throws(VoltError) -> [UnitState] {
        let types = "--type=service,socket,timer"
        let plain = ["--no-legend", "--no-pager", "--plain", "--full", types, "volt-*"]
        var names: Set<String> = []
        for verb in [["list-unit-files"], ["list-units", "--all"]] {
            // list-unit-files ends with 1, and without a word, when there is none.
            let reply = try Self.run("systemctl", verb + plain)
            if let said = reply.errors.first(where: { !$0.isEmpty }) {
                throw VoltError(.failed, "'systemctl \(verb[0])' failed: \(said)")
            }
            for line in reply.output {
                // The first word is the name; a template has no state of its own.
                guard let name = line.split(separator: " ").first, !name.contains("@.") else { continue }
                names.insert(String(name))
            }
        }
        return try states(of: names.sorted())
    }

    /// The states of units by their full names.
    func states(of names: [String]) throws(VoltError) -> [UnitState] {
        guard !names.isEmpty else { return [] }
        let lines = try control(
            [
                "show", "--no-pager", "--timestamp=unix",
                "--property=\(UnitState.properties.joined(separator: ","))", "--",
            ] + names)
        return UnitState.parse(lines).filter { $0.load != "not-found" }
    }
}
