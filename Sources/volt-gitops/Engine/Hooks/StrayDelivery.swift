public import VoltCore

/// A delivery that the secret of a pipeline verifies, of a repository that the pipeline does not read: the hook is
/// right, and one of the two URLs is not.
public struct StrayDelivery: Codable, Sendable, Equatable {
    /// The URL of the payload, as people may see it.
    public var repository: String
    /// The URL of the pipeline at that time.
    public var expected: String
    /// The provider's id.
    public var delivery: String?
    /// When it came.
    public var at: Timestamp

    /// Characters of a URL that are shown.
    private static let longest = 300

    /// - Parameters:
    ///   - urls: what the payload gives for its repository.
    ///   - expected: the URL of the pipeline.
    init(of urls: [String], expected: String, delivery: String?, at: Timestamp) {
        repository = urls.first.map(Self.shown) ?? "no repository"
        self.expected = expected
        self.delivery = delivery
        self.at = at
    }

    /// As the journal has it.
    init(repository: String, expected: String, delivery: String?, at: Timestamp) {
        self.repository = repository
        self.expected = expected
        self.delivery = delivery
        self.at = at
    }

    /// Which URLs differ, in words that follow the name of the pipeline.
    public var text: String {
        "its secret verifies a delivery of '\(repository)', and the pipeline reads '\(expected)'"
    }

    /// How to mend it.
    public static let hint =
        "if both are one repository, change 'repo' in the output of 'volt gitops export' and run 'volt gitops import'; else point the hook of the pipeline's repository here"

    /// A URL without a password, a token or a query, on one line.
    private static func shown(_ url: String) -> String {
        var text = url.prefix { $0 != "?" && $0 != "#" }
        if let scheme = text.firstRange(of: "://") {
            let place = text[scheme.upperBound...].prefix { $0 != "/" }
            // Over SSH the user is a part of the address; before a colon it is none anywhere.
            if let at = place.lastIndex(of: "@"), text.hasPrefix("http") || place[..<at].contains(":") {
                text = text[..<scheme.upperBound] + text[text.index(after: at)...]
            }
        }
        let plain = text.unicodeScalars.filter { $0.value > 32 && $0.value < 127 && $0 != "'" && $0 != "\"" }
        return String(String.UnicodeScalarView(plain.prefix(longest)))
    }
}
