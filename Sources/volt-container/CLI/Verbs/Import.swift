internal import ArgumentParser
internal import ContainerEngine
internal import VoltCLI
internal import VoltCore
internal import VoltSystem

struct Import: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "import", abstract: "bring an image into the local store",
        discussion: """
            PATH is a directory with a root file system, a tar archive in any compression, or an OCI image \
            layout as a directory or in an archive; '-' is standard input. The files are copied.

              volt container import --name busybox --command /bin/sh rootfs.tar.gz
              skopeo copy docker://alpine:3.20 oci:alpine:3.20
              volt container import --name alpine alpine
              mmdebstrap bookworm - | volt container import --name debian:12 -
            """)

    @Option(help: "The name of the image: NAME[:TAG].")
    var name: String?
    @Option(help: ArgumentHelp("A word of the entrypoint; repeat it for more.", valueName: "word"))
    var entrypoint: [String] = []
    @Option(help: ArgumentHelp("A word of the command; repeat it for more.", valueName: "word"))
    var command: [String] = []
    @Option(
        name: [.customShort("e"), .customLong("env")],
        help: ArgumentHelp("A variable, NAME=VALUE.", valueName: "variable"))
    var environment: [String] = []
    @Option(help: ArgumentHelp("The working directory.", valueName: "directory"))
    var workdir: String?
    @Option(help: "The user: a number or a name, with :GROUP if needed.")
    var user: String?
    @Option(help: ArgumentHelp("A port the payload listens on, such as 80.", valueName: "port"))
    var expose: [String] = []
    @Argument(help: "A directory, an archive, or '-'.")
    var path: String
    @OptionGroup var output: OutputOptions

    struct Row: Encodable {
        let names: [String]
        let digest: Digest
        let size: UInt64
        let layers: Int
        let notes: [String]
    }

    func run() throws {
        let context = try ToolContext(tool: VoltContainer.tool.name)
        var overrides = ImageImporter.Overrides()
        if !entrypoint.isEmpty { overrides.entrypoint = entrypoint }
        if !command.isEmpty { overrides.command = command }
        for variable in environment where !variable.contains("=") {
            throw VoltError(.usage, "'\(variable)' is not a variable", hint: "write NAME=VALUE")
        }
        overrides.environment = environment
        overrides.workingDirectory = workdir
        if let user { try AccountNumber.check(user) }
        overrides.user = user
        overrides.exposedPorts = expose
        let store = try ImageStore(paths: context.paths, clock: context.clock)
        let source = path == "-" ? "-" : Files.absolute(path, from: Files.currentDirectory)
        let outcome = try ImageImporter(store: store).importImage(
            from: source, name: name, overrides: overrides)
        for note in outcome.notes { Output.note("\(context.displayName): note: \(note)") }
        let image = outcome.image
        let row = Row(
            names: image.names, digest: image.digest, size: image.size, layers: image.layers.count,
            notes: outcome.notes)
        try Output.render(row, as: output.format) {
            var table = Table(["NAME", "DIGEST", "SIZE", "LAYERS"])
            for name in image.names {
                table.add([
                    name, image.digest.short, ByteSize(bytes: image.size).description,
                    "\(image.layers.count)",
                ])
            }
            return table
        }
    }
}
