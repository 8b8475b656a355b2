internal import ArgumentParser
internal import ContainerEngine
internal import VoltSystem

/// The options of commands that speak with a registry.
struct RegistryArguments: ParsableArguments {
    @Flag(help: "Speak plain HTTP. For registries of this host it is found out.") var plainHttp = false
    @Option(help: ArgumentHelp("Trust the authorities of this PEM file.", valueName: "file")) var caFile:
        String?
    @Option(help: ArgumentHelp("Read logins from this file, not from Docker's.", valueName: "file"))
    var authFile: String?

    var options: RegistryOptions {
        var options = RegistryOptions()
        options.isPlain = plainHttp
        options.caFile = caFile.map { Files.absolute($0, from: Files.currentDirectory) }
        options.authFile = authFile.map { Files.absolute($0, from: Files.currentDirectory) }
        return options
    }
}
