internal import ArgumentParser
internal import Glibc
internal import VoltCLI
internal import VoltCore
internal import VoltOCI
internal import VoltRegistry

struct Login: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Keep a name and a password for a registry, after they were tried.",
        discussion: """
            The password is read from the terminal, or from standard input with --password-stdin. It is kept \
            where Docker keeps it, with a credential helper where one is configured.

            Example:
              volt registry login --username ci --password-stdin registry.example \\
                  < password
            """)

    @OptionGroup var client: ClientOptions
    @Option(name: .shortAndLong, help: "The name of the user.") var username: String
    @Flag(help: "Read the password from standard input.") var passwordStdin = false
    @Argument(help: ArgumentHelp("The registry, such as registry.example:5000.", valueName: "host")) var host:
        String

    func run() throws {
        guard let host = OCIReference.host(host) else { throw ValidationError("'\(host)' is not a host") }
        let password = try passwordStdin ? Self.read() : Self.ask(host)
        guard !password.isEmpty else { throw VoltError(.usage, "the password is empty") }
        let endpoint = RegistryEndpoint(
            host: host, account: .password(user: username, password: password), settings: try client.settings)
        try RegistryClient(endpoint).ping()
        let place = try client.configuration().login(host, user: username, password: password)
        Output.note("logged in to '\(host)' as '\(username)', kept in '\(place)'")
    }

    private static func read() throws -> String {
        var text = readLine(strippingNewline: true) ?? ""
        if text.utf8.count > 64 << 10 { text = "" }
        return text
    }

    private static func ask(_ host: String) throws -> String {
        guard isatty(0) == 1, let text = getpass("Password for \(host): ") else {
            throw VoltError(
                .usage, "there is no terminal to ask for the password at",
                hint: "give it with --password-stdin")
        }
        return String(cString: text)
    }
}

struct Logout: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Forget a login.",
        discussion: """
            Example:
              volt registry logout registry.example
            """)

    @OptionGroup var client: ClientOptions
    @Argument(help: "The registry.") var host: String

    func run() throws {
        guard let host = OCIReference.host(host) else { throw ValidationError("'\(host)' is not a host") }
        guard try client.configuration().logout(host) else {
            throw VoltError(.notFound, "there is no login for '\(host)'")
        }
    }
}
