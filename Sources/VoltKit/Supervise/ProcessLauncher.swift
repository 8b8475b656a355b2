internal import CVoltSystem
internal import Glibc
public import VoltCore
internal import VoltSystem
public import VoltWorkload

/// A plain process of the host as the payload.
public struct ProcessLauncher: Launcher, Sendable {
    /// The program, an absolute path, and its arguments.
    public var command: [String]
    /// The whole environment, as `NAME=value`.
    public var environment: [String] = []
    /// The working directory.
    public var directory = "/"
    /// How to tell that it works, or nil.
    public var healthCheck: HealthCheck?

    /// - Parameter command: see the property.
    public init(command: [String]) { self.command = command }

    /// Reads the keys `arg`, `env`, `cwd` and `health…`.
    public init(_ settings: Settings) throws(VoltError) {
        self.init(command: settings.all("arg"))
        guard !command.isEmpty else { throw VoltError(.failed, "the settings name no command") }
        environment = settings.all("env")
        directory = settings.optional("cwd") ?? "/"
        healthCheck = try HealthCheck(settings)
    }

    /// Writes the same.
    public func add(to settings: inout Settings) {
        settings.add("arg", all: command)
        settings.add("env", all: environment)
        settings.add("cwd", directory)
        healthCheck?.add(to: &settings)
    }

    /// The loop of the check.
    public var health: HealthLoop? { healthCheck.map { HealthLoop($0) } }

    /// Becomes the program.
    public func launch(_ child: LaunchedChild) throws(VoltError) -> Never {
        guard volt_die_with_parent() == 0 else {
            throw SystemError.current.during("cannot follow the supervisor")
        }
        try child.enterGroups()
        throw become(command)
    }

    /// Runs the command of a check as the payload is run.
    public func check(_ command: [String]) -> Int32 { become(command).code.rawValue }

    private func become(_ command: [String]) -> VoltError {
        guard chdir(directory) == 0 else { return SystemError.current.during("cannot enter '\(directory)'") }
        volt_close_on_exec(3)
        _ = volt_reset_signals()
        let arguments = command.map { strdup($0) } + [nil]
        let variables = environment.map { strdup($0) } + [nil]
        execve(command.first ?? "", arguments, variables)
        let error = SystemError.current
        return VoltError(
            error.number == ENOENT ? .commandNotFound : .cannotRun,
            "cannot run '\(command.first ?? "")': \(error.reason)")
    }
}
