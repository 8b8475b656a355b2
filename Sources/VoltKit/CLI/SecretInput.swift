internal import Glibc
public import VoltCore
internal import VoltSystem

/// How a command gets a secret: never from its own arguments, unless a verb says that they show in the process list.
public enum SecretInput {
    /// Reads a secret from whichever of the options was given; a newline at its end is left out.
    ///
    /// - Parameters:
    ///   - value: the secret itself.
    ///   - file: the file that has it.
    ///   - stdin: whether it comes from standard input.
    ///   - options: the names of the options, for the error.
    /// - Returns: nil when none was given.
    /// - Throws: `VoltError` with code `usage` when several were.
    public static func read(
        value: String? = nil, file: String?, stdin: Bool, options: String
    ) throws(VoltError) -> [UInt8]? {
        guard [value != nil, file != nil, stdin].filter({ $0 }).count <= 1 else {
            throw VoltError(.usage, "the secret is given twice", hint: "use one of \(options)")
        }
        var bytes: [UInt8]
        if let value {
            bytes = Array(value.utf8)
        } else if let file {
            bytes = try Files.read(file, limit: 4096)
        } else if stdin {
            bytes = try Files.read("/dev/stdin", limit: 4096)
        } else {
            return nil
        }
        while bytes.last == 10 || bytes.last == 13 { bytes.removeLast() }
        return bytes
    }

    /// Asks for a password at the terminal, without showing it, or reads it from the first line of standard input.
    ///
    /// - Parameters:
    ///   - stdin: whether it comes from standard input.
    ///   - prompt: what is asked, such as `Password for registry.example: `.
    ///   - option: the option that reads standard input. The error names it when the command has no terminal.
    /// - Throws: `VoltError` with code `usage` when it is empty or cannot be asked for.
    public static func password(stdin: Bool, prompt: String, option: String) throws(VoltError) -> String {
        var password = ""
        if stdin {
            password = readLine(strippingNewline: true) ?? ""
            if password.utf8.count > 64 << 10 { password = "" }
        } else {
            guard isatty(0) == 1, let text = getpass(prompt) else {
                throw VoltError(
                    .usage, "the command has no terminal to ask for the password",
                    hint: "give it with \(option)")
            }
            password = String(cString: text)
        }
        guard !password.isEmpty else { throw VoltError(.usage, "the password is empty") }
        return password
    }
}
