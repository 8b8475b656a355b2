internal import CVoltSystem
internal import Glibc
public import VoltCore
internal import VoltSystem
public import VoltWorkload

/// The whole of a tool's `volt-<tool>--run`, whose arguments are `supervise` or `foreground` and the file of the
/// settings.
public enum SupervisorProgram {
    /// Reads settings and supervises what they say, until it has ended for good.
    ///
    /// - Parameters:
    ///   - arguments: those of the process.
    ///   - launcher: makes the launcher from the settings.
    public static func run<L: Launcher>(
        _ arguments: [String], launcher: (Settings) throws(VoltError) -> L
    ) -> Never {
        // Nothing that whoever started this has left open goes on into the payload.
        volt_close_from(3)
        let name = String(arguments.first?.split(separator: "/").last ?? "supervisor")
        do throws(VoltError) {
            guard arguments.count == 3, ["supervise", "foreground"].contains(arguments[1]) else {
                throw VoltError(.usage, "only the tool of '\(name)' starts this program")
            }
            let settings = try Settings(decoding: try Files.read(arguments[2], limit: Settings.limit))
            exit(
                try run(
                    SuperviseSettings(settings), keepsOutput: arguments[1] == "supervise",
                    speaker: name
                ) { () throws(VoltError) in try launcher(settings) })
        } catch {
            let line = Array("\(name): error: \(error.message)\n".utf8)
            _ = write(2, line, line.count)
            exit(error.code == .usage ? error.code.rawValue : ExitCode.runtimeFailed.rawValue)
        }
    }

    /// Supervises one instance.
    ///
    /// - Parameters:
    ///   - keepsOutput: whether the output goes to the log; a payload in the foreground has the streams of this process.
    ///   - speaker: the name at the start of lines that the supervisor adds to the log, such as `volt container`.
    ///   - launcher: makes the launcher.
    /// - Returns: the exit code of the payload.
    public static func run<L: Launcher>(
        _ settings: SuperviseSettings, keepsOutput: Bool, speaker: String,
        launcher: () throws(VoltError) -> L
    ) throws(VoltError) -> Int32 {
        do throws(VoltError) {
            var supervisor = try Supervisor(
                settings, launcher: try launcher(), keepsOutput: keepsOutput, speaker: speaker)
            return try supervisor.run()
        } catch {
            // Whoever waits for the start reads it here.
            let failure = PayloadStatus(phase: .failed, code: 125, message: error.message)
            try Files.replaceUnsynced("\(settings.directory)/status", with: failure.encoded)
            throw error
        }
    }
}
