import ArgumentParser
import GitopsEngine
import VoltCLI
import VoltCore
import VoltSystem

/// How `serve` writes its log.
enum LogFormat: String, ExpressibleByArgument, CaseIterable {
    case text, json
}

/// The options of `serve` about what it shows.
struct ShownOptions: ParsableArguments {
    @Option(help: "How to write the log: text, or json (an object a line).") var logFormat = LogFormat.text
    @Flag(
        help: "Serve read-only status pages at '/': everybody who reaches the port sees histories and logs.")
    var ui = false
    @Option(help: "A file with a password for the pages and /metrics; the user is 'volt'.")
    var uiPasswordFile: String?

    func fill(_ options: inout GitopsServer.Options) throws(VoltError) {
        options.pages = ui
        guard let uiPasswordFile else { return }
        options.passwordFile = Files.absolute(uiPasswordFile, from: Files.currentDirectory)
    }
}
