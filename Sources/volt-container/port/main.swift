internal import CVoltSystem
internal import Glibc
internal import VoltCore

// volt-container--port SOCKET: owns the published ports of one workload and outlives its containers.
// Commands come over the Unix socket. Descriptor 3 is closed once that socket listens, which whoever
// started this process waits for.

guard CommandLine.arguments.count == 2 else { exit(64) }
// Looked at before anything is opened, which would take that number.
let isWaitedFor = volt_set_cloexec(3, 1) == 0
signal(SIGPIPE, SIG_IGN)
signal(SIGHUP, SIG_IGN)
do throws(VoltError) {
    let server = try PortServer(socket: CommandLine.arguments[1])
    if isWaitedFor { close(3) }
    server.run()
} catch {
    let line = Array("volt-container--port: error: \(error.message)\n".utf8)
    _ = write(2, line, line.count)
    exit(1)
}
