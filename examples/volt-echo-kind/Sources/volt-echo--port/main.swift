import VoltHelperKit

// volt-echo--port: holds the published ports of one workload.

PortProgram.run(CommandLine.arguments)
