/// The names of subsystems: `[a-z][a-z0-9]*(-[a-z0-9]+)*`, at most 32 bytes.
///
/// The subsystem `x` is the executable `volt-x`. `volt-a--b` is a private helper of `volt-a`: two
/// hyphens in a row never make a name, so a helper is neither listed nor dispatched.
public enum ToolName {
    /// The longest name, in bytes.
    public static let maximumLength = 32

    /// What stands before the name of a subsystem in the name of its executable.
    public static let filePrefix = "volt-"

    /// Whether the bytes follow the rule. Nothing that fails it reaches the disk.
    public static func isValid(_ bytes: some Collection<UInt8>) -> Bool {
        guard (1...maximumLength).contains(bytes.count), let first = bytes.first, isLetter(first)
        else { return false }
        var afterHyphen = false
        for byte in bytes {
            if byte == UInt8(ascii: "-") {
                if afterHyphen { return false }
                afterHyphen = true
            } else {
                guard isLetter(byte) || isDigit(byte) else { return false }
                afterHyphen = false
            }
        }
        return !afterHyphen
    }

    /// Whether the text follows the rule.
    public static func isValid(_ text: some StringProtocol) -> Bool { isValid(Array(text.utf8)) }

    /// The subsystem of a file name: `volt-hello` gives `hello`; nil for a helper and anything else.
    public static func ofFile(_ file: some StringProtocol) -> String? {
        guard file.hasPrefix(filePrefix) else { return nil }
        let name = String(file.dropFirst(filePrefix.count))
        return isValid(name) ? name : nil
    }

    private static func isLetter(_ byte: UInt8) -> Bool {
        (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte)
    }

    private static func isDigit(_ byte: UInt8) -> Bool {
        (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte)
    }
}
