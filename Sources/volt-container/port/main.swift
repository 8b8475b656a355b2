internal import VoltPorts

// volt-container--port SOCKET: owns the published ports of one workload and outlives its containers.

PortProgram.run(CommandLine.arguments)
