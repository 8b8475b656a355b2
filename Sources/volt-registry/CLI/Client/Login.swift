internal import ArgumentParser
internal import VoltCLI
internal import VoltCore
internal import VoltOCI
internal import VoltRegistry

struct Login: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "login", abstract: "Keep a name and a password for a registry, after they were tried.",
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
        let password = try SecretInput.password(
            stdin: passwordStdin, prompt: "Password for \(host): ", option: "--password-stdin")
        let endpoint = RegistryEndpoint(
            host: host, account: .password(user: username, password: password), settings: try client.settings)
        try RegistryClient(endpoint).ping()
        let place = try client.configuration().login(host, user: username, password: password)
        Output.note("logged in to '\(host)' as '\(username)', kept in '\(place)'")
    }
}

struct Logout: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "logout", abstract: "Forget a login.",
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
