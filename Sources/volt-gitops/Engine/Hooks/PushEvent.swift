internal import VoltServer

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
    private enum Source: Sendable {
        case list([(name: String, value: String)])
        /// A text is made only of the fields that somebody looks at.
        case request(HTTPRequest)
    }

    private let source: Source

    /// - Parameter fields: the fields in their order.
    public init(_ fields: [(name: String, value: String)]) { source = .list(fields) }

    /// The fields of a request.
    init(_ request: HTTPRequest) { source = .request(request) }

    /// The value of a field that occurs once; nil when it is missing or occurs twice.
    subscript(name: String) -> String? {
        switch source {
        case .request(let request): return request.count(name) == 1 ? request[name] : nil
        case .list(let fields):
            let found = fields.filter { Self.isSame($0.name, name) }
            return found.count == 1 ? found[0].value : nil
        }
    }

    /// Whether a field occurs, be it empty or twice.
    func has(_ name: String) -> Bool {
        switch source {
        case .request(let request): request.count(name) > 0
        case .list(let fields): fields.contains { Self.isSame($0.name, name) }
        }
    }

    private static func isSame(_ field: String, _ name: String) -> Bool {
        field.utf8.count == name.utf8.count && field.lowercased() == name
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
