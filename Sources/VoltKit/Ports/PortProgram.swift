internal import CVoltSystem
internal import Glibc
internal import VoltCore

/// The whole of a tool's `volt-<tool>--port`.
public enum PortProgram {
    /// Serves the socket that is the only argument, until a command over it ends the process.
    public static func run(_ arguments: [String]) -> Never {
        guard arguments.count == 2 else { exit(ExitCode.usage.rawValue) }
        volt_close_from(3)
        signal(SIGPIPE, SIG_IGN)
        signal(SIGHUP, SIG_IGN)
        do throws(VoltError) {
            try PortServer(socket: arguments[1]).run()
            exit(0)
        } catch {
            let name = arguments[0].split(separator: "/").last ?? "port process"
            let line = Array("\(name): error: \(error.message)\n".utf8)
            _ = write(2, line, line.count)
            exit(1)
        }
    }
}
