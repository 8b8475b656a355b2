internal import ArgumentParser
internal import ContainerEngine
internal import VoltCLI
internal import VoltSystem

/// Which images of registries are taken.
struct TrustOptions: ParsableArguments {
    @Option(
        name: .customLong("trust"),
        help: ArgumentHelp(
            "Take the images that this policy lets pass, in place of trust.yaml of the configuration.",
            valueName: "file"))
    var file: String?

    func trust(_ context: ToolContext) -> ImageTrust {
        ImageTrust(
            paths: context.paths, file: file.map { Files.absolute($0, from: Files.currentDirectory) })
    }
}
