internal import ArgumentParser
internal import ContainerEngine

struct Start: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "start", abstract: "start containers that do not run",
        discussion: """
              volt container start web
            """)

    @OptionGroup var containers: ContainerNames

    func run() throws { try containers.eachOrOfWorkload { try $0.start($1) } }
}
