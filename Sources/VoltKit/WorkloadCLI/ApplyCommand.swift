public import ArgumentParser
internal import VoltCLI
internal import VoltCore
internal import VoltSystem
internal import VoltWorkload

/// `volt-<kind> apply`.
public struct ApplyCommand<Verbs: WorkloadVerbs>: AsyncParsableCommand {
    /// For ArgumentParser.
    public static var configuration: CommandConfiguration {
        CommandConfiguration(
            commandName: "apply", abstract: "bring a workload to what its manifest says",
            discussion: Verbs.discussions.apply)
    }

    @Option(help: "The name of the workload.")
    var workload: String
    @Option(help: "A volt-manifest.yaml or a Voltfile.")
    var manifest: String
    @Option(help: ArgumentHelp("The directory that the manifest's paths are in.", valueName: "directory"))
    var source: String
    @Option(help: "The revision of the source, for people.")
    var revision: String
    @Option(help: "How long all of it may take.")
    var timeout = "5m"
    @Option(
        name: .customLong("image"),
        help: ArgumentHelp(
            "An image that this definition ran with before: it runs again, whatever its name means now.",
            valueName: "name=digest"))
    var images: [String] = []
    @Option(
        name: .customLong("replace-kind"),
        help: ArgumentHelp("A kind that may have the workload now: take it over.", valueName: "kind"))
    var replacedKinds: [String] = []
    @Flag(help: "Only say what would change.")
    var dryRun = false
    @OptionGroup var options: Verbs.ApplyOptions
    @OptionGroup var output: OutputOptions

    /// For ArgumentParser.
    public init() {}

    /// Applies, and prints each event.
    public func run() async throws {
        let context = try ToolContext(tool: Verbs.tool.name)
        let current = Files.currentDirectory
        let request = WorkloadRequest(
            workload: try Name(workload, of: "workload"), file: Files.absolute(manifest, from: current),
            source: Files.absolute(source, from: current), revision: revision,
            timeout: try DurationText.parse(timeout), images: try earlierImages(),
            replacedKinds: try replacedKinds.map { try Name($0, of: "kind").text })
        let printer = EventPrinter(format: output.format)
        if dryRun {
            do {
                for plan in try await Verbs.workloads(context, options).plan(request) {
                    printer.show(.plan(plan))
                }
            } catch let failure as any WorkloadFailure { throw failure.error }
            return
        }
        do {
            let workloads = try Verbs.workloads(context, options)
            let outcome = try await Interruption.stopping {
                try await workloads.apply(request) { printer.show($0) }
            }
            printer.show(
                .result(
                    outcome.status, generation: outcome.generation, message: outcome.message,
                    images: outcome.images.mapValues(\.description)))
        } catch let error as VoltError {
            printer.show(.result(.failed, generation: nil, message: error.message))
            // A contract's caller reads "failed" as 1, whatever failed; what it can act on says so.
            let isKnown = [ExitCode.tryAgain, .usage, .missing].contains(error.code)
            throw VoltError(isKnown ? error.code : .failed, error.message, hint: error.hint)
        } catch let failure as any WorkloadFailure {
            printer.show(.result(.failed, generation: nil, message: failure.error.message))
            throw failure.error
        } catch let interruption as Interruption {
            let message = "stopped by a signal: the workload is as it was"
            printer.show(.result(.failed, generation: nil, message: message))
            throw interruption.error(message)
        }
    }

    private func earlierImages() throws(VoltError) -> [String: Digest] {
        var found: [String: Digest] = [:]
        for text in images {
            guard let equals = text.lastIndex(of: "="), equals > text.startIndex else {
                throw VoltError(
                    .usage, "'\(text)' is not an image with its digest", hint: "write NAME=sha256:DIGEST")
            }
            found[String(text[..<equals])] = try Digest(text[text.index(after: equals)...])
        }
        return found
    }
}

/// Prints the events of an apply: JSON lines on stdout, or lines for people on stderr.
struct EventPrinter: Sendable {
    let format: OutputFormat

    func show(_ event: ApplyEvent) {
        if format == .json {
            if let line = try? Output.json(event, pretty: false) { try? Output.line(line) }
            return
        }
        switch event {
        case .step(let step, .started, _, let service): Output.note("\(of(service))\(step.rawValue) ...")
        case .step(let step, let state, _, let service):
            Output.note("\(of(service))\(step.rawValue) \(state.rawValue)")
        case .log(_, let line, let service): Output.note("  \(of(service))\(line)")
        case .plan(let plan):
            Output.note("\(plan.service): \(plan.change.rawValue): \(plan.reasons.joined(separator: "; "))")
        case .result(.failed, _, _, _): break
        case .result(let status, _, let message, _): Output.note("\(status.rawValue): \(message)")
        }
    }

    private func of(_ service: String?) -> String { service.map { "\($0): " } ?? "" }
}
