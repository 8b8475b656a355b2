internal import ArgumentParser
internal import ContainerEngine

struct Restart: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "restart", abstract: "stop containers and start them again",
        discussion: """
              volt container restart web
            """)

    @OptionGroup var containers: ContainerNames

    func run() throws {
        try containers.eachOrOfWorkload { runtime, name in
            _ = try runtime.state(name)
            try runtime.stop(name)
            try runtime.start(name)
        }
    }
}
