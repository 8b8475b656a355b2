public import ArgumentParser
public import VoltCore

/// A thing that a listing verb shows: its columns for people, and its name for scripts. Its JSON is how it
/// encodes itself.
public protocol ListDisplayable: Encodable {
    /// The names of the columns, in upper case.
    static var header: [String] { get }
    /// The cells of its rows: one, unless it is known by several names.
    ///
    /// - Parameter now: for times that are shown as they are seen from now, such as `2m ago`.
    func rows(at now: Timestamp) -> [[String]]
    /// Its name or id on the command line.
    var quietValue: String { get }
}

/// `-o table|json`, `--json` and `-q`, of verbs that list.
public struct ListOptions: ParsableArguments {
    @OptionGroup private var output: OutputOptions
    @Flag(name: [.customShort("q"), .customLong("quiet")], help: "Print names or ids only, one a line.")
    private var quiet = false

    /// The chosen format; `-q` is not one.
    public var format: OutputFormat { output.format }

    /// For ArgumentParser.
    public init() {}

    /// Prints a list.
    ///
    /// - Throws: `VoltError` when it cannot be written.
    public func render<Item: ListDisplayable>(_ items: [Item], at now: Timestamp) throws {
        guard !quiet || format == .json else {
            for item in items { try Output.put(PrintableText.line(item.quietValue)) }
            return
        }
        try Output.render(items, as: format) {
            var table = Table(Item.header)
            for row in items.flatMap({ $0.rows(at: now) }) { table.add(row) }
            return table
        }
    }
}
