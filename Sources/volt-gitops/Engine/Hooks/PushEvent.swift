/// A branch or tag that a verified delivery says was pushed. It is a hint: what is deployed is read from
/// the pipeline's own URL.
package struct PushEvent: Equatable {
    /// The URLs and names that the payload gives for its repository, any of which may match a pipeline.
    package var repositories: [String]
    /// What was pushed.
    package var ref: PushedRef
    /// The commit it points to now, when the payload has it; never the object of an annotated tag.
    package var commit: String?
}

/// What a delivery asks for.
package enum Delivery: Equatable {
    /// What was pushed; Bitbucket and GitLab's system hooks may send several in one delivery.
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

    /// Whether a field occurs, be it empty or twice.
    func has(_ name: String) -> Bool {
        fields.contains { $0.name.utf8.count == name.utf8.count && $0.name.lowercased() == name }
    }

    /// Whether the body is a form with the payload in one of its fields.
    var isForm: Bool {
        self["content-type"]?.lowercased().hasPrefix("application/x-www-form-urlencoded") ?? false
    }
}

/// A forge that sends webhooks.
package protocol HookProvider: Sendable {
    /// Whether the payload may come as a form.
    var takesForms: Bool { get }
    /// Whether the request may be answered without a signature; then nothing is touched.
    func isUnsignedPing(_ headers: RequestHeaders) -> Bool
    /// Whether the body was signed with the secret. Nothing of the JSON is parsed before this holds.
    ///
    /// - Parameter now: seconds since 1970, for signatures that cover the time.
    func verifies(_ headers: RequestHeaders, body: [UInt8], secret: [UInt8], now: Int64) -> Bool
    /// Whether the request bears a signature or a token, be it a good one or not.
    func isSigned(_ headers: RequestHeaders) -> Bool
    /// The id of the delivery, the same when the provider sends it again.
    func deliveryID(_ headers: RequestHeaders) -> String?
    /// What the delivery asks for.
    func read(_ headers: RequestHeaders, body: [UInt8]) throws(PayloadReader.Malformed) -> Delivery
}

extension HookProvider {
    package var takesForms: Bool { false }
    package func isUnsignedPing(_ headers: RequestHeaders) -> Bool { false }
}
