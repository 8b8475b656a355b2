import ArgumentParser
import VoltCLI
import VoltTestKit

struct FreePort: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "free-port", abstract: "Print a port of 127.0.0.1 that was free a moment ago.")

    func run() throws { try Output.line(String(LoopbackPort.free())) }
}
