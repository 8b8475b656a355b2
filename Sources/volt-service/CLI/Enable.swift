internal import ArgumentParser
internal import ServiceEngine
internal import VoltCLI

struct Enable: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "enable", abstract: "Have services start with the machine.",
        discussion: """
            Example:
              volt service enable --now gitops
            """)

    @Flag(help: "They are started at once, too.") var now = false
    @OptionGroup var services: ServiceNames

    func run() throws { try services.each { try $0.setEnabled(true, now: now, $1) } }
}
