public import ArgumentParser
internal import FoundationEssentials
internal import Glibc

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
public enum Output {
    /// Prints data: a table for people, or the value as JSON.
    ///
    /// The only place that looks at the format.
    public static func render(_ value: some Encodable, as format: OutputFormat, table: () -> Table) throws {
        switch format {
        case .table: print(table().text(colored: usesColor(1)), terminator: "")
        case .json: print(try json(value))
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
    public static func note(_ line: String) { write(line + "\n", to: 2) }

    /// Writes a text as it is on stdout (1) or stderr (2), such as a line that is drawn again and again.
    public static func write(_ text: String, to descriptor: Int32) {
        let bytes = Array(text.utf8)
        var offset = 0
        while offset < bytes.count {
            let count = bytes.withUnsafeBytes {
                Glibc.write(descriptor, $0.baseAddress?.advanced(by: offset), bytes.count - offset)
            }
            if count <= 0 { return }
            offset += count
        }
    }

    /// Prints a line of data on stdout at once, for streams that a reader follows.
    public static func line(_ line: String) {
        print(line)
        fflush(nil)
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

    /// Adds a row; control characters are shown as `?` so that data cannot drive the terminal.
    public mutating func add(_ row: [String]) {
        rows.append(
            row.map { cell in
                String(
                    String.UnicodeScalarView(
                        cell.unicodeScalars.map { $0.value < 32 || $0.value == 127 ? "?" : $0 }))
            })
    }

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
