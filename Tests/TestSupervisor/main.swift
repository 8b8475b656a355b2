internal import VoltCore
internal import VoltSupervise

// volt-test--run: a supervisor of plain processes, for VoltSuperviseTests.

SupervisorProgram.run(CommandLine.arguments) { settings throws(VoltError) in try ProcessLauncher(settings) }
