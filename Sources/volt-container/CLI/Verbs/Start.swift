internal import ArgumentParser
internal import ContainerEngine
public import VoltCLI
public import VoltCore
public import VoltRollout
internal import VoltServiceCLI
internal import VoltSystem
internal import VoltSystemd
internal import VoltWorkload

struct Start: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "start", abstract: "start containers that do not run",
        discussion: """
            With --all it starts every workload and container that should run and does not, with its published \
            ports: not those that were stopped by hand, and not those that finished and are not to be started again. \
            A workload is started when those that 'after' of its manifest names are healthy, of any kind. What fails \
            does not keep the others from their turn; the exit code is 2 then. 'volt container install-service' has \
            systemd do this when the host starts.

              volt container start web
              volt container start --all
            """)

    @Argument(help: "The names of the containers.")
    var names: [String] = []
    @Flag(name: [.short, .long], help: "Everything that should run.")
    var all = false
    @Option(help: "With --all: how long workloads may wait for others; 5m when not given.")
    var timeout: String?
    @OptionGroup var list: ListOptions

    func validate() throws {
        guard all != !names.isEmpty else {
            throw ValidationError(all ? "--all and names exclude each other" : "Missing names, or --all")
        }
        guard all || list.format != .json else { throw ValidationError("-o json is for --all") }
        guard all || timeout == nil else { throw ValidationError("--timeout is for --all") }
    }

    func run() async throws {
        guard all else {
            return try ContainerNames.eachOrOfWorkload(names) { try $0.start($1) }
        }
        let context = try ToolContext(tool: VoltContainer.tool.name)
        let limit = try DurationText.parse(timeout ?? "5m")
        let runtime = try ContainerHost.runtime(context)
        let workloads = try Workloads.workloads(context, nil)
        let speaker = context.displayName
        var results = try startOwn(runtime)
        do {
            results += try await Interruption.stopping {
                try await workloads.startAll(timeout: limit) { Output.note("\(speaker): note: \($0)") }
            }
        } catch let interruption as Interruption { throw interruption.error() }
        try workloads.noteStarted()
        try list.render(results, at: context.clock.now())
        let failed = results.filter { $0.result == .failed }
        for result in failed {
            Output.note("\(speaker): error: '\(result.name)' was not started: \(result.reason ?? "")")
        }
        if !failed.isEmpty { throw ExitStatus(2) }
    }

    /// Starts the containers that are of no workload; they wait for nothing.
    private func startOwn(_ runtime: ContainerRuntime) throws -> [StartResult] {
        try runtime.ownContainers().map { name in
            do throws(VoltError) {
                return StartResult(name: name, isWorkload: false, try runtime.resume(name))
            } catch {
                return StartResult(name: name, isWorkload: false, result: .failed, reason: error.message)
            }
        }
    }
}

extension StartResult: ListDisplayable {
    /// The columns of `volt container start --all`.
    public static var header: [String] { ["NAME", "TYPE", "RESULT", "REASON"] }

    /// Its row.
    public func rows(at now: Timestamp) -> [[String]] {
        [[name, isWorkload ? "workload" : "container", result.rawValue, reason ?? "-"]]
    }

    /// Its name.
    public var quietValue: String { name }
}

/// The unit that starts what should run when the host starts.
enum ContainerStartup: StartupDescribing {
    static let startup = StartupDescription(
        tool: "container", title: "Volt: the containers that should run",
        page: "docs/services.md")
}
