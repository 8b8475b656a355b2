internal import VoltSystem

/// Files with the output that is expected, under `Tests/Golden`. With `VOLT_RECORD=1` in the environment
/// they are written anew, to be read in the diff.
public enum Golden {
    /// Whether files are written instead of compared.
    public static var isRecording: Bool { Environment.current["VOLT_RECORD"] == "1" }

    /// Compares a text with a file of the repository, or records it.
    ///
    /// - Parameters:
    ///   - text: what a program printed, with the paths of this run replaced.
    ///   - path: the file, from the root of the repository.
    ///   - test: the file of the test, which lies two directories below the root.
    /// - Returns: nil when they are the same, else both, for the message of the test.
    public static func difference(_ text: String, _ path: String, test: String = #filePath) throws -> String?
    {
        let file = "\(root(test))/\(path)"
        if isRecording {
            try Files.makeDirectory(Files.parent(of: file))
            try Files.replace(file, with: text.utf8)
            return nil
        }
        let expected = Files.exists(file) ? String(decoding: try Files.read(file), as: UTF8.self) : ""
        if text == expected { return nil }
        let lines = text.split(separator: "\n", omittingEmptySubsequences: false)
        let old = expected.split(separator: "\n", omittingEmptySubsequences: false)
        let place = zip(lines, old).enumerated().first { $1.0 != $1.1 }?.offset ?? min(lines.count, old.count)
        let at = { (list: [Substring]) in place < list.count ? String(list[place]) : "(the end)" }
        return """
            \(path):\(place + 1) differs
            expected: \(at(old))
            printed:  \(at(lines))
            'VOLT_RECORD=1' with the same test records what is printed
            """
    }

    /// The root of the repository.
    ///
    /// - Parameter test: a file two directories below it, such as `#filePath` of a test.
    public static func root(_ test: String = #filePath) -> String {
        Files.parent(of: Files.parent(of: Files.parent(of: test)))
    }
}
