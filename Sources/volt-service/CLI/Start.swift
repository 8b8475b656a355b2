internal import ArgumentParser
internal import ServiceEngine
internal import VoltCLI

struct Start: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "start", abstract: "Start services or workloads that do not run.",
        discussion: """
            Example:
              volt service start gitops
            """)

    @OptionGroup var services: ServiceNames

    func run() throws { try services.each { try $0.perform(.start, on: $1) } }
}
