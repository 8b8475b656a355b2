internal import ArgumentParser
internal import VoltCLI
internal import VoltCore
internal import VoltCrypto
internal import VoltSystem

struct KeyCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "key", abstract: "Make keys for signatures.", subcommands: [Create.self])

    struct Create: ParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "create",
            abstract: "Make a key on P-256: NAME.key to sign with, NAME.pub to verify with.",
            discussion: """
                The private key is not encrypted: only its owner can read the file. Prints the fingerprint.

                Example:
                  volt registry key create --output team
                """)
        @Option(help: ArgumentHelp("The path of the files, without .key and .pub.", valueName: "name"))
        var output: String

        func run() throws {
            let (secret, shared) = ("\(output).key", "\(output).pub")
            for path in [secret, shared] where Files.exists(path) {
                throw VoltError(.conflict, "'\(path)' is there already", hint: "take another name")
            }
            let bytes = PrivateKey.newP256()
            let key = try PrivateKey(pem: bytes, named: secret)
            try Files.replace(secret, with: bytes, mode: 0o600)
            try Files.replace(shared, with: key.publicKey.pem)
            Output.note("wrote '\(secret)', which is secret, and '\(shared)'")
            try Output.put(key.publicKey.fingerprint)
        }
    }
}
