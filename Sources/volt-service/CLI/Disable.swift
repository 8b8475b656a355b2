internal import ArgumentParser
internal import ServiceEngine
internal import VoltCLI

struct Disable: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "disable", abstract: "Have services no longer start with the machine.",
        discussion: """
            Example:
              volt service disable --now gitops
            """)

    @Flag(help: "They are stopped at once, too.") var now = false
    @OptionGroup var services: ServiceNames

    func run() throws { try services.each { try $0.setEnabled(false, now: now, $1) } }
}
