internal import CVoltSystem
internal import ContainerSandbox
internal import Glibc
internal import VoltCore
internal import VoltSupervise
internal import VoltSystem
internal import VoltWorkload

// volt-container--run: the processes around a container that must have one thread, since namespaces belong
// to threads.
//   supervise FILE   keeps a container running as its settings say, and its output
//   foreground FILE  runs it once with this process's own stdin, stdout and stderr
//   exec FILE        runs a command in a container that runs
//   fill FILE        copies what an image has into new volumes
//   probe FILE       tries whether this host can mount layers that are trees

// Nothing that whoever started this has left open goes on into a container.
volt_close_from(3)
let words = CommandLine.arguments
guard words.count == 3 else {
    // Such as /proc/self/exe of a command, which is this program until it has become that.
    let line = Array("volt-container--run: error: only 'volt container' starts this program\n".utf8)
    _ = write(2, line, line.count)
    exit(ExitCode.usage.rawValue)
}
do throws(VoltError) {
    let settings = try Settings(decoding: try Files.read(words[2], limit: Settings.limit))
    switch words[1] {
    case "supervise", "foreground":
        let run = try RunSettings(settings)
        exit(
            try SupervisorProgram.run(
                run.supervise, keepsOutput: words[1] == "supervise", speaker: "volt container"
            ) { () throws(VoltError) in ContainerLauncher(run) })
    case "exec":
        // They hold variables, and belong to this one command.
        unlink(words[2])
        // The container sees this process: it may not look into it, nor change its program.
        guard volt_set_dumpable(0) == 0, volt_runs_read_only() != 0 else {
            throw VoltError(.failed, "'\(words[0])' was not started read-only, as what enters a container is")
        }
        var entry = try Entry(try ExecSettings(settings))
        exit(try entry.run())
    case "fill", "probe":
        do throws(VoltError) {
            if words[1] == "fill" {
                try VolumeFill(settings: try FillSettings(settings)).run()
            } else {
                _ = try RootFileSystem.mounted(try RootSettings(settings))
            }
        } catch {
            let line = Array("\(error.message)\n".utf8)
            _ = write(2, line, line.count)
            exit(1)
        }
    default: exit(64)
    }
} catch {
    let line = Array("volt container: error: \(error.message)\n".utf8)
    _ = write(2, line, line.count)
    exit(ExitCode.runtimeFailed.rawValue)
}
