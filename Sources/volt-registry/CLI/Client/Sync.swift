internal import ArgumentParser
internal import RegistryEngine
internal import VoltCLI
internal import VoltCore
internal import VoltRegistry
internal import VoltSystem

struct Sync: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "sync", abstract: "Make repositories what they are elsewhere, as a file says.",
        discussion: """
            Example:
              volt registry sync mirror.yaml

              # mirror.yaml
              version: 1
              sync:
                - from: docker.io/library/alpine
                  to: localhost:5000/hub/alpine
                  tags: ["3.*", latest]
                  newest: 5
                - from: registry.example/team/**
                  to: oci:/media/usb/team
                  referrers: true

            What is there is not moved again. Nothing is removed at the other place. A timer of systemd runs it from time \
            to time. It exits with 2 when some tags failed and others did not, and with 3 when the file stands for no tag.
            """)

    @OptionGroup var client: ClientOptions
    @OptionGroup var output: OutputOptions
    @Flag(help: "Only say what would be copied.") var dryRun = false
    @OptionGroup var progress: ProgressOptions
    @Argument(help: "The file.") var file: String

    func run() throws {
        let path = Files.absolute(file, from: Files.currentDirectory)
        let plan = try SyncFile.read(try Files.read(path, limit: 1 << 20), path: path)
        let environment = try ToolContext(tool: RegistryTool.tool.name).environment
        var clients: [String: RegistryClient] = [:]
        var items: [Synchronizer.Item] = []
        let line = progress.line("sync")
        let synchronizer = Synchronizer(
            dryRun: dryRun,
            copy: { options in
                var options = options
                if let directory = environment["TMPDIR"], directory.hasPrefix("/") {
                    options.temporary = directory
                }
                return ContentCopy(options) { done, total in line.show(done, of: total) }
            },
            client: { host in
                if let known = clients[host] { return known }
                let made = try client.client(host)
                clients[host] = made
                return made
            },
            report: { item in
                line.end()
                items.append(item)
                if output.format == .json { return }
                if let error = item.error {
                    Output.note("volt registry: error: '\(item.from)': \(error)")
                } else {
                    // What cannot be printed does not keep the others from their turn; the exit code says it.
                    try? Output.line("\(item.result) \(item.to)\(item.digest.map { "@\($0)" } ?? "")")
                }
            })
        for entry in plan.entries { synchronizer.run(entry) }
        if output.format == .json { try Output.put(Output.json(items)) }
        let failed = items.filter { $0.error != nil }
        if failed.isEmpty { return }
        if failed.count < items.count { throw ExitStatus(2) }
        throw ExitStatus(failed.allSatisfy { $0.result == "nothing" } ? 3 : 1)
    }
}
