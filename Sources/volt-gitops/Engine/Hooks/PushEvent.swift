/// A branch that a verified delivery says was pushed. It is a hint: what is deployed is the tip of the
/// branch at the pipeline's own URL.
struct PushEvent: Equatable {
    /// The URLs and names that the payload gives for its repository, any of which may match a pipeline.
    var repositories: [String]
    /// The branch, without `refs/heads/`.
    var branch: String
    /// The commit the branch points to now, when the payload has it.
    var commit: String?
}

/// What a delivery asks for.
enum Delivery: Equatable {
    /// Branches that were pushed; Bitbucket may send several in one delivery.
    case pushes([PushEvent])
    /// Nothing to do, and why.
    case ignored(String)
}

/// The header fields of a request, looked up without regard to case (RFC 9110, section 5.1).
public struct RequestHeaders: Sendable {
    private let fields: [(name: String, value: String)]

    /// - Parameter fields: the fields in their order.
    public init(_ fields: [(name: String, value: String)]) { self.fields = fields }

    /// The value of a field that occurs once; nil when it is missing or occurs twice.
    subscript(name: String) -> String? {
        var found: String?
        for field in fields where field.name.utf8.count == name.utf8.count && field.name.lowercased() == name
        {
            guard found == nil else { return nil }
            found = field.value
        }
        return found
    }
}

/// A forge that sends webhooks.
protocol HookProvider: Sendable {
    /// Whether the request may be answered without a signature; then nothing is touched.
    func isUnsignedPing(_ headers: RequestHeaders) -> Bool
    /// Whether the body was signed with the secret. Nothing of the body is parsed before this holds.
    ///
    /// - Parameter now: seconds since 1970, for signatures that cover the time.
    func verifies(_ headers: RequestHeaders, body: [UInt8], secret: [UInt8], now: Int64) -> Bool
    /// The id of the delivery, the same when the provider sends it again.
    func deliveryID(_ headers: RequestHeaders) -> String?
    /// What the delivery asks for.
    func read(_ headers: RequestHeaders, body: [UInt8]) throws(PayloadReader.Malformed) -> Delivery
}

extension HookProvider {
    func isUnsignedPing(_ headers: RequestHeaders) -> Bool { false }
}
