internal import CVoltSystem
internal import Glibc
internal import VoltCore

// volt-container--port SOCKET: owns the published ports of one workload and outlives its containers.
// Commands come over the Unix socket.

guard CommandLine.arguments.count == 2 else { exit(64) }
volt_close_from(3)
signal(SIGPIPE, SIG_IGN)
signal(SIGHUP, SIG_IGN)
do throws(VoltError) {
    let server = try PortServer(socket: CommandLine.arguments[1])
    server.run()
} catch {
    let line = Array("volt-container--port: error: \(error.message)\n".utf8)
    _ = write(2, line, line.count)
    exit(1)
}
