internal import CVoltSystem
internal import ContainerSandbox
internal import Glibc
internal import VoltCore
internal import VoltSystem

/// The secrets of a container in the clear, as the helper that decrypts has told them through a pipe. They
/// are in the memory of this process, in a file system in memory that only the container sees, and in the
/// environment of the payload: never on a disk, and never in an argument.
struct PayloadSecrets {
    private var opened = DecryptAnswer()

    /// Decrypts what the settings name; nothing when they name nothing.
    init(_ settings: SecretSettings?) throws(VoltError) {
        guard let settings else { return }
        let request = DecryptRequest(identity: settings.identity, secrets: settings.secrets)
        let program = ChildProgram(
            executable: settings.program, environment: ["PATH": "/usr/sbin:/usr/bin:/sbin:/bin"])
        let answer = try program.capture(
            [], input: try request.encoded(), limit: DecryptAnswer.limit, time: .seconds(120))
        guard answer.status == 0 else {
            let said = answer.stderr.split(separator: "\n").first.map(String.init)
            throw VoltError(.runtimeFailed, said ?? "'\(settings.program)' ended with \(answer.status)")
        }
        opened = try DecryptAnswer(decoding: answer.stdout)
    }

    /// An environment with the variables in it. A variable of the image gives way, one that was asked for on a
    /// command line does not.
    func added(to environment: [String], except explicit: [String] = []) -> [String] {
        func name(_ variable: String) -> Substring { variable.prefix { $0 != "=" } }
        let new = opened.variables.filter { !explicit.contains(String(name($0))) }
        let names = Set(new.map(name))
        return environment.filter { !names.contains(name($0)) } + new
    }

    /// Writes the files below a directory, with numbers for names.
    func writeFiles(_ directory: String, from first: Int) throws(VoltError) {
        for (index, file) in opened.files.enumerated() {
            let path = "\(directory)/\(first + index)"
            let descriptor = volt_open(path, O_WRONLY | O_CREAT | O_EXCL, 0o600)
            guard descriptor >= 0 else { throw SystemError.current.during("cannot make '\(path)'") }
            defer { close(descriptor) }
            try Files.write(file.bytes, to: descriptor, named: path)
            guard fchown(descriptor, file.owner, file.group) == 0, fchmod(descriptor, file.mode) == 0 else {
                throw SystemError.current.during("cannot hand '\(path)' to its owner")
            }
        }
    }
}
