internal import ArgumentParser
internal import ContainerEngine

struct Rm: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "rm", abstract: "remove containers; volumes are kept",
        discussion: """
              volt container rm web
              volt container rm --force web
            """)

    @Flag(name: [.short, .long], help: "Kill those that run.")
    var force = false
    @OptionGroup var containers: ContainerNames

    func run() throws { try containers.each { try $0.remove($1, force: force, atOnce: true) } }
}
