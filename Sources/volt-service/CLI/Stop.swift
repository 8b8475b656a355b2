internal import ArgumentParser
internal import ServiceEngine
internal import VoltCLI

struct Stop: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "stop", abstract: "Stop services or workloads.",
        discussion: """
            A workload that is stopped stays so until it is started or deployed again; a service that is
            enabled starts with the machine.

            Example:
              volt service stop web
            """)

    @OptionGroup var services: ServiceNames

    func run() throws { try services.each { try $0.perform(.stop, on: $1) } }
}
