internal import CVoltSystem
internal import Glibc

/// The environment of the process.
public enum Environment {
    /// All variables; bytes that are not UTF-8 are repaired.
    public static var current: [String: String] {
        var variables: [String: String] = [:]
        guard var entry = volt_environ() else { return variables }
        while let text = entry.pointee {
            let line = String(cString: text)
            if let equals = line.firstIndex(of: "=") {
                variables[String(line[..<equals])] = String(line[line.index(after: equals)...])
            }
            entry += 1
        }
        return variables
    }

    /// Sets a variable for this process and its children.
    ///
    /// Only before other threads exist: setenv(3) is not safe beside getenv(3).
    public static func set(_ name: String, _ value: String) { setenv(name, value, 1) }
}
