public import ArgumentParser
internal import FoundationEssentials
internal import Glibc
internal import Synchronization
public import VoltCore
internal import VoltSystem

/// The format of what a command shows.
public enum OutputFormat: String, ExpressibleByArgument, CaseIterable, Sendable {
    /// For people.
    case table
    /// Stable, documented and complete.
    case json
}

/// `-o table|json` and `--json`.
public struct OutputOptions: ParsableArguments {
    @Option(name: [.customShort("o"), .customLong("output")], help: "How to print: table or json.")
    private var chosen: OutputFormat = .table

    @Flag(name: .customLong("json"), help: "The same as '-o json'.")
    private var json = false

    /// The chosen format.
    public var format: OutputFormat { json ? .json : chosen }

    /// For ArgumentParser.
    public init() {}
}

/// Where commands print: data on stdout, everything for people on stderr.
///
/// A command that cannot print its data fails, also one that goes on after it: the first failure is kept until the end.
public enum Output {
    private struct Pending {
        var bytes: [UInt8] = []
        var failure: VoltError?
    }

    private static let pending = Mutex(Pending())
    private static let isFollowed = isTerminal(1)

    /// Prints data: a table for people, or the value as JSON.
    ///
    /// The only place that looks at the format.
    public static func render(_ value: some Encodable, as format: OutputFormat, table: () -> Table) throws {
        switch format {
        case .table: try put(table().text(colored: usesColor(1)), terminator: "")
        case .json: try put(try json(value))
        }
    }

    /// A value as JSON with sorted keys, RFC 3339 times and plain slashes.
    public static func json(_ value: some Encodable, pretty: Bool = true) throws -> String {
        let encoder = JSONEncoder()
        encoder.outputFormatting =
            pretty
            ? [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes] : [.sortedKeys, .withoutEscapingSlashes]
        return String(decoding: try encoder.encode(value), as: UTF8.self)
    }

    /// Prints a line for people on stderr.
    public static func note(_ line: String) { draw(line + "\n") }

    /// Prints a line of any bytes on stderr.
    public static func note(bytes: [UInt8]) {
        // Nobody is left to tell that it failed.
        try? Files.write(bytes + [10], to: 2, named: "stderr")
    }

    /// Writes a text as it is on stderr, such as a line that is drawn again and again.
    public static func draw(_ text: String) { try? Files.write(Array(text.utf8), to: 2, named: "stderr") }

    /// Prints data on stdout, in larger parts unless that is a terminal.
    ///
    /// - Throws: `VoltError` when this or something before it cannot be written.
    public static func put(_ data: some CustomStringConvertible, terminator: String = "\n") throws(VoltError)
    {
        try put(bytes: Array("\(data)\(terminator)".utf8))
    }

    /// Prints bytes as they are.
    public static func put(bytes: [UInt8]) throws(VoltError) {
        try pending.withLock { pending throws(VoltError) in
            pending.bytes += bytes
            if isFollowed || pending.bytes.count >= 1 << 16 { try flush(&pending) }
        }
    }

    /// Prints a line of data on stdout at once, for streams that a reader follows.
    public static func line(_ line: String) throws(VoltError) { try self.line(bytes: Array(line.utf8)) }

    /// The same for a line of any bytes.
    public static func line(bytes: [UInt8]) throws(VoltError) {
        try put(bytes: bytes + [10])
        try pending.withLock { pending throws(VoltError) in try flush(&pending) }
    }

    private static func flush(_ pending: inout Pending) throws(VoltError) {
        do throws(VoltError) {
            if let failure = pending.failure { throw failure }
            let bytes = pending.bytes
            pending.bytes = []
            try StandardOutput.write(bytes)
        } catch {
            pending.failure = error
            throw error
        }
    }

    /// Prints what is left.
    ///
    /// - Returns: why some of the data was not printed, or nil.
    static func finish() -> VoltError? {
        pending.withLock { pending in
            do throws(VoltError) {
                try flush(&pending)
                try StandardOutput.finish()
            } catch { return error }
            return nil
        }
    }

    /// Whether a standard stream is a terminal: 1 for stdout, 2 for stderr.
    public static func isTerminal(_ descriptor: Int32) -> Bool { isatty(descriptor) == 1 }
}

/// Columns for people: upper-case headers, two spaces between columns, never wrapped.
public struct Table: Sendable {
    private let header: [String]
    private var rows: [[String]] = []

    /// - Parameter header: the names of the columns, in upper case.
    public init(_ header: [String]) { self.header = header }

    /// Adds a row; what is not printable is shown as `?`, so that data cannot drive the terminal.
    public mutating func add(_ row: [String]) { rows.append(row.map { PrintableText.line($0) }) }

    /// The columns whose words get a colour.
    private static let statusColumns: Set<String> = ["STATUS", "STATE", "HEALTH"]

    /// The lines of the table, the header always among them.
    ///
    /// - Parameter colored: whether the words of `STATUS`, `STATE` and `HEALTH` get colours.
    public func text(colored: Bool = false) -> String {
        let lines = [header] + rows
        let widths = header.indices.map { column in lines.map { $0[column].count }.max() ?? 0 }
        return lines.enumerated().map { number, line in
            var text = ""
            for (column, cell) in line.enumerated() {
                let isStatus = colored && number > 0 && Self.statusColumns.contains(header[column])
                text += isStatus ? Output.Color(status: cell)?.paint(cell) ?? cell : cell
                if column + 1 < line.count {
                    text += String(repeating: " ", count: widths[column] - cell.count + 2)
                }
            }
            while text.hasSuffix(" ") { text.removeLast() }
            return text + "\n"
        }.joined()
    }
}
