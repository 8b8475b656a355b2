public import ArgumentParser

/// `--quiet` of verbs that take long: without it they say how far they are.
public struct ProgressOptions: ParsableArguments {
    /// Whether no progress is shown.
    @Flag(name: [.customShort("q"), .long], help: "Show no progress.") public var quiet = false

    /// For ArgumentParser.
    public init() {}

    /// The line of what is done, such as `push`.
    public func line(_ what: String) -> ProgressLine { ProgressLine(what, quiet: quiet) }
}
