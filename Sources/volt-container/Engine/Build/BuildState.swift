internal import Glibc
internal import VoltArchive
internal import VoltCore
internal import VoltCrypto
internal import VoltSystem

/// Where a build stands between two steps.
struct BuildState {
    let request: ImageBuilder.Request
    let voltfile: Voltfile
    /// The lowest first.
    var layers: [Digest] = []
    var config = ImageConfig()
    private var globalArguments: [String: String] = [:]
    private var arguments: [String: String] = [:]
    private var isInStage = false
    private var hasCommand = false

    init(request: ImageBuilder.Request, voltfile: Voltfile) {
        self.request = request
        self.voltfile = voltfile
    }

    var workingDirectory: String { config.workingDirectory.isEmpty ? "/" : config.workingDirectory }

    /// The variables of a RUN step: arguments, and over them the image's.
    var environment: [String: String] { arguments.merging(config.environmentByName) { $1 } }

    /// After FROM: the arguments before it are only known again when the stage asks for them.
    mutating func enterStage() {
        globalArguments = arguments
        arguments = [:]
        isInStage = true
    }

    /// Fills variables in, the image's before the build's arguments.
    func expand(_ text: String, _ step: Voltfile.Step) throws(VoltError) -> String {
        let variables = config.environmentByName
        let arguments = arguments
        guard let result = Words.expand(text, escape: voltfile.escape, { variables[$0] ?? arguments[$0] })
        else {
            throw Voltfile.failure(
                voltfile.file, step.line,
                "'\(text.prefix(60))' has a variable in a form that is not supported",
                hint: "write $NAME, ${NAME}, ${NAME:-default} or ${NAME:+other}")
        }
        return result
    }

    /// Carries out a step that changes the configuration only.
    mutating func apply(_ step: Voltfile.Step) throws(VoltError) {
        switch step.action {
        case .arguments(let list): for item in list { try declare(item, step) }
        case .environment(let list):
            // All values see the variables from before the line.
            var values: [(String, String)] = []
            for item in list {
                values.append((try expand(item.name, step), try expand(item.value ?? "", step)))
            }
            for (name, value) in values { config.setEnvironment(name, value) }
        case .labels(let list):
            for item in list {
                config.labels[try expand(item.name, step)] = try expand(item.value ?? "", step)
            }
        case .user(let text):
            let user = try expand(text, step)
            do throws(VoltError) { try AccountNumber.check(user) } catch {
                throw Voltfile.failure(voltfile.file, step.line, error.message, hint: error.hint)
            }
            config.user = user
        case .expose(let list): for item in list { try expose(try expand(item, step), step) }
        case .command(let command):
            config.command = command.words
            hasCommand = true
        case .entrypoint(let command):
            config.entrypoint = command.words
            // The command of the base image was meant for the base image's entrypoint.
            if !hasCommand { config.command = [] }
        case .from, .workdir, .copy, .run: break
        }
    }

    private mutating func declare(_ item: Voltfile.Assignment, _ step: Voltfile.Step) throws(VoltError) {
        if let given = request.arguments[item.name] {
            arguments[item.name] = given
        } else if let value = item.value {
            arguments[item.name] = try expand(value, step)
        } else if isInStage, let global = globalArguments[item.name] {
            arguments[item.name] = global
        }
    }

    private mutating func expose(_ text: String, _ step: Voltfile.Step) throws(VoltError) {
        let parts = text.split(separator: "/", omittingEmptySubsequences: false).map(String.init)
        let transport = parts.count == 2 ? parts[1].lowercased() : "tcp"
        let ends = parts[0].split(separator: "-", omittingEmptySubsequences: false).map { UInt16($0) ?? 0 }
        guard parts.count <= 2, transport == "tcp" || transport == "udp", ends.count <= 2,
            let first = ends.first, let last = ends.last,
            first > 0, last >= first, last - first < 1024
        else {
            throw Voltfile.failure(
                voltfile.file, step.line, "'\(text.prefix(40))' is not a port",
                hint: "write 80, 80/tcp or 8000-8010")
        }
        for port in first...last {
            let entry = "\(port)/\(transport)"
            if !config.exposedPorts.contains(entry) { config.exposedPorts.append(entry) }
        }
    }

    // MARK: - Names of layers

    /// The name of the layer that a step gives: everything that its content depends on.
    func key(_ kind: String, _ inputs: [String]) -> Digest {
        let hasher = SHA256Hasher()
        for text in ["volt step 1", kind] + layers.map(\.hex) + [""] + inputs {
            withUnsafeBytes(of: UInt64(text.utf8.count).littleEndian) { hasher.update($0) }
            hasher.update(text)
        }
        return hasher.finish()
    }

    func runKey(_ command: Voltfile.Command) throws(VoltError) -> Digest {
        let variables = environment.sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value)" }
        return key("run", command.words + ["", workingDirectory, config.user] + variables)
    }
}

extension MergedView {
    /// The attributes of a directory that a layer has to repeat because something in it changes.
    func attributes(of path: TreePath) -> FileAttributes {
        guard let entry = try? find(path.names), entry.isDirectory else { return FileAttributes(mode: 0o755) }
        return FileAttributes(
            mode: UInt32(entry.information.st_mode), user: entry.information.st_uid,
            group: entry.information.st_gid)
    }
}
