internal import CVoltSystem
internal import Glibc
internal import VoltCore
internal import VoltPlugin

/// What a command of `volt` works with: the process as it was called, after the global options.
struct Session {
    /// The absolute path of this program; empty when there is no /proc.
    let selfPath: [UInt8]
    /// The environment of the tools.
    let environment: [[UInt8]]
    /// Where tools are looked for.
    let search: PluginSearch

    /// - Throws: `VoltError` with code `usage`.
    init(options: GlobalOptions, inherited: [[UInt8]]) throws(VoltError) {
        selfPath = Launcher.selfPath
        var execPath: [UInt8]?
        if volt_at_secure() == 0 {
            let named = options.execPath ?? Launcher.value(of: "VOLT_EXEC_PATH", in: inherited) ?? []
            guard named.isEmpty || named.first == UInt8(ascii: "/") else {
                throw VoltError(
                    .usage, "the exec path is '\(Console.shown(named))'",
                    hint: "set it to an absolute directory")
            }
            execPath = named.isEmpty ? nil : named
        }
        search = PluginSearch(
            execPath: execPath, path: Launcher.value(of: "PATH", in: inherited), selfPath: selfPath)
        environment = Launcher.environment(
            inherited,
            setting: options.variables + [
                ("VOLT_EXE", selfPath), ("VOLT_VERSION", Array(VoltVersion.text.utf8)),
                ("VOLT_CONTRACT", Array("\(ToolMetadata.contract)".utf8)),
            ])
    }

    /// The file of aliases: in the configuration directory, which is `/etc/volt` for root.
    var aliasFile: [UInt8]? {
        let value = { (name: String) in
            Launcher.value(of: name, in: environment).flatMap { $0.first == UInt8(ascii: "/") ? $0 : nil }
        }
        if let root = value("VOLT_ROOT") { return root + Array("/etc/aliases".utf8) }
        if geteuid() == 0 { return Array("/etc/volt/aliases".utf8) }
        if let directory = value("XDG_CONFIG_HOME") { return directory + Array("/volt/aliases".utf8) }
        return value("HOME").map { $0 + Array("/.config/volt/aliases".utf8) }
    }

    func aliases() throws(VoltError) -> Aliases {
        guard let aliasFile else { return Aliases() }
        return try Aliases(path: aliasFile)
    }

    /// Whether a name is taken by something that runs, or would if it were installed.
    func isCommand(_ name: String) -> Bool {
        CommandTable.reserved.contains(name) || CommandTable.firstParty(name) != nil
            || search.first(name) != nil
    }

    /// Replaces this process by a tool; returns only when that fails.
    func launch(_ tool: Candidate, _ words: [[UInt8]]) -> VoltError {
        Launcher.execute(tool.bytes, words, environment: environment)
    }
}
