/// The version of what a tool keeps on disk, and the words with which it refuses what a newer version wrote.
public struct FormatMark: Sendable, Equatable {
    /// The newest version that this tool reads, and the one it writes.
    public let version: Int
    /// The action that fails, such as `open store '/srv/store'`.
    private let action: String
    private let code: ExitCode
    private let hint: String

    /// - Parameters:
    ///   - version: the newest version that this tool reads.
    ///   - action: what it cannot do with a newer one, such as `open store '/srv/store'`.
    ///   - code: of the error.
    ///   - hint: what to do then.
    public init(_ version: Int, to action: String, code: ExitCode = .refused, hint: String) {
        self.version = version
        self.action = action
        self.code = code
        self.hint = hint
    }

    /// The content of a file that holds only the version: its number and a line feed.
    public var fileContent: [UInt8] { Array("\(version)\n".utf8) }

    /// The version that such a file has.
    ///
    /// - Throws: `VoltError` when this tool does not read it.
    @discardableResult public func check(file content: [UInt8]) throws(VoltError) -> Int {
        let line = PrintableText.line(content.prefix { $0 != 10 }, limit: 64)
        let digits = line.prefix { ("0"..."9").contains($0) }
        guard let version = Int(digits), (1...self.version).contains(version) else {
            throw VoltError(
                code, "cannot \(action): format \(line) is not one this tool reads (\(self.version))",
                hint: hint)
        }
        return version
    }

    /// Refuses a newer version.
    ///
    /// - Returns: the version.
    /// - Throws: `VoltError` when this tool does not read it.
    @discardableResult public func check(_ version: Int) throws(VoltError) -> Int {
        guard version <= self.version else {
            throw VoltError(
                code,
                "cannot \(action): format \(version) is newer than this tool reads (\(self.version))",
                hint: hint)
        }
        return version
    }
}
