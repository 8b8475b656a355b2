public import VoltCore
public import VoltSandbox
internal import VoltWorkload

/// Who runs what, as the engine tells the helpers.
extension Confinement {
    /// Reads the keys `arg`, `env`, `user`, `directory`, `capabilities` and `added`.
    init(_ settings: Settings) throws(VoltError) {
        try self.init(
            command: settings.all("arg"), environment: settings.all("env"), user: settings.text("user"),
            directory: settings.text("directory"), capabilities: settings.number("capabilities"),
            added: settings.number("added"))
    }

    /// Writes the same.
    func add(to settings: inout Settings) {
        settings.add("arg", all: command)
        settings.add("env", all: environment)
        settings.add("user", user)
        settings.add("directory", directory)
        settings.add("capabilities", String(capabilities))
        settings.add("added", String(added))
    }
}
