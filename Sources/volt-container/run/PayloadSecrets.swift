internal import CVoltSystem
internal import ContainerSandbox
internal import Glibc
internal import VoltCore
internal import VoltSystem

/// The secrets of a container in the clear, as the helper that decrypts has told them through a pipe. They
/// are in the memory of this process, in a file system in memory that only the container sees, and in the
/// environment of the payload: never on a disk, and never in an argument.
struct PayloadSecrets {
    /// `NAME=value`.
    private let variables: [String]
    private let files: [File]

    private struct File {
        let mode: mode_t
        let owner: uid_t
        let group: gid_t
        let bytes: [UInt8]
    }

    /// Decrypts what the settings name; nothing when they name nothing.
    init(_ settings: Settings) throws(VoltError) {
        guard let helper = settings.optional("decrypt") else {
            variables = []
            files = []
            return
        }
        var request = Settings()
        request.add("identity", try settings.text("identity"))
        request.add("secret", all: settings.all("secret"))
        let program = ChildProgram(
            executable: helper, environment: ["PATH": "/usr/sbin:/usr/bin:/sbin:/bin"])
        let answer = try program.capture(
            [], input: try request.encoded(), limit: Settings.limit, time: .seconds(120))
        guard answer.status == 0 else {
            let said = answer.stderr.split(separator: "\n").first.map(String.init)
            throw VoltError(.runtimeFailed, said ?? "'\(helper)' ended with \(answer.status)")
        }
        let opened = try Settings(decoding: answer.stdout)
        variables = opened.all("env")
        var files: [File] = []
        for text in opened.all("file") {
            let words = text.split(separator: " ", omittingEmptySubsequences: false)
            guard words.count == 4, let mode = UInt32(words[0]), let owner = UInt32(words[1]),
                let group = UInt32(words[2]), let bytes = Hex.decode(String(words[3]))
            else { throw VoltError(.runtimeFailed, "'\(helper)' is of another version") }
            files.append(File(mode: mode, owner: owner, group: group, bytes: bytes))
        }
        self.files = files
    }

    /// Settings with the variables in them. A variable of the image gives way, one that was asked for on a
    /// command line does not.
    func added(to settings: Settings) -> Settings {
        guard !variables.isEmpty else { return settings }
        func name(_ variable: String) -> Substring { variable.prefix { $0 != "=" } }
        let explicit = Set(settings.all("explicit"))
        let new = variables.filter { !explicit.contains(String(name($0))) }
        let names = Set(new.map(name))
        var result = Settings()
        for record in settings.records where record.key != "env" || !names.contains(name(record.value)) {
            result.add(record.key, record.value)
        }
        result.add("env", all: new)
        return result
    }

    /// Writes the files below a directory, with numbers for names.
    func writeFiles(_ directory: String, from first: Int) throws(VoltError) {
        for (index, file) in files.enumerated() {
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

    /// Settings in a file in memory, to be read by a process that inherits it.
    static func inMemory(_ settings: Settings) throws(VoltError) -> Int32 {
        let descriptor = volt_memfd("settings")
        guard descriptor >= 0 else { throw SystemError.current.during("cannot make a file in memory") }
        try Files.write(try settings.encoded(), to: descriptor, named: "settings")
        lseek(descriptor, 0, SEEK_SET)
        return descriptor
    }
}
