internal import ArgumentParser
internal import ContainerEngine
internal import VoltCLI
internal import VoltCore
internal import VoltSystem

struct Build: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "build", abstract: "build an image from a Voltfile",
        discussion: """
            A Voltfile has the syntax of a Dockerfile. Each step is kept: one whose inputs did not change is \
            taken from the store and shown as CACHED. When a RUN step fails, its exit code is that of the build.

              volt container build -t web .
              volt container build -t web:1.4 --build-arg VERSION=1.4 -f Voltfile.debug .
            """)

    @Option(
        name: [.customShort("t"), .customLong("tag")],
        help: ArgumentHelp("A name for the image; repeat it for more.", valueName: "name[:tag]"))
    var tags: [String] = []
    @Option(name: [.customShort("f"), .customLong("file")], help: "The Voltfile, relative to the directory.")
    var file = "Voltfile"
    @Option(name: .customLong("build-arg"), help: ArgumentHelp("A value for ARG.", valueName: "name=value"))
    var arguments: [String] = []
    @Argument(help: "The directory that COPY reads from.")
    var directory: String
    @OptionGroup var trust: TrustOptions
    @OptionGroup var output: OutputOptions

    struct Row: Encodable {
        let names: [String]
        let digest: Digest
        let size: UInt64
    }

    func run() async throws {
        let context = try ToolContext(tool: VoltContainer.tool.name)
        var request = ImageBuilder.Request(context: Files.absolute(directory, from: Files.currentDirectory))
        request.names = try tags.map { try ImageReference($0).stored }
        request.file = relative(Files.absolute(file, from: request.context), to: request.context)
        for argument in arguments {
            let parts = argument.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false).map(
                String.init)
            guard let name = parts.first, !name.isEmpty else {
                throw VoltError(.usage, "'\(argument)' is not name=value")
            }
            request.arguments[name] = parts.count == 2 ? parts[1] : context.environment[name] ?? ""
        }
        let builder = ImageBuilder(
            images: try ContainerHost.images(context, trust.trust(context)),
            runner: try ContainerHost.runtime(context))
        do {
            let built = request
            let image = try await Interruption.stopping {
                try await builder.build(built, progress: Self.show)
            }
            let row = Row(names: image.names, digest: image.digest, size: image.size)
            try Output.render(row, as: output.format) {
                var table = Table(["NAME", "DIGEST", "SIZE"])
                for name in image.names.isEmpty ? ["-"] : image.names {
                    table.add([name, image.digest.short, ByteSize(bytes: image.size).description])
                }
                return table
            }
        } catch let failure as BuildStepFailure {
            Output.note("\(context.displayName): error: \(failure.error.message)")
            throw ExitStatus(failure.status)
        } catch let interruption as Interruption {
            throw interruption.error()
        }
    }

    private static func show(_ event: BuildEvent) {
        switch event {
        case .step(let number, let count, let text, let isCached):
            Output.note("step \(number)/\(count): \(text)\(isCached ? " CACHED" : "")")
        case .output(_, let line): Output.note("  \(line)")
        }
    }

    private func relative(_ path: String, to directory: String) -> String {
        path.hasPrefix("\(directory)/") ? String(path.dropFirst(directory.count + 1)) : path
    }
}
