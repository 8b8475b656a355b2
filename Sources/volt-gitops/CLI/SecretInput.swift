import VoltCore
import VoltSystem

/// How a command gets the secret of a hook.
enum SecretInput {
    /// Reads a secret from whichever of the options was given; a newline at its end is left out.
    ///
    /// - Returns: nil when none was given.
    /// - Throws: `VoltError` with code `usage` when several were.
    static func read(value: String? = nil, file: String?, stdin: Bool, options: String) throws(VoltError)
        -> [UInt8]?
    {
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
}
