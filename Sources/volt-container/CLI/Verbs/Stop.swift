internal import ArgumentParser
internal import ContainerEngine

struct Stop: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "stop", abstract: "stop containers: their stop signal, and after ten seconds a kill",
        discussion: """
              volt container stop web
            """)

    @OptionGroup var containers: ContainerNames

    func run() throws {
        try containers.eachOrOfWorkload { runtime, name in
            _ = try runtime.state(name)
            try runtime.stop(name)
        }
    }
}
