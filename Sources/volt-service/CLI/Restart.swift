internal import ArgumentParser
internal import ServiceEngine
internal import VoltCLI

struct Restart: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "restart", abstract: "Restart services or workloads.",
        discussion: """
            Example:
              volt service restart gitops
            """)

    @OptionGroup var services: ServiceNames

    func run() throws { try services.each { try $0.perform(.restart, on: $1) } }
}
