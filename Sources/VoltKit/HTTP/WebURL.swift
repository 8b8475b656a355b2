internal import CCurl
public import VoltCore

/// A URL of http or https, parsed by libcurl's own parser, so that what is checked is what is asked.
public struct WebURL: Sendable, Hashable, CustomStringConvertible {
    /// The longest URL that is read, in bytes.
    public static let longest = 8192

    /// `https` or `http`.
    public let scheme: String
    /// The host in lower case, an IPv6 address in its brackets.
    public let host: String
    /// The port, also when it is the default of the scheme.
    public let port: Int
    /// The path and the query, which begin with `/`.
    public let target: String
    /// The name before `@`, or nil.
    public let user: String?
    /// The password before `@`, or nil.
    public let password: String?

    /// Scheme, host and port: what may be shown. A path may be a secret, as that of a chat's hook is.
    public var origin: String {
        let isDefault = port == (scheme == "https" ? 443 : 80)
        return isDefault ? "\(scheme)://\(host)" : "\(scheme)://\(host):\(port)"
    }
    /// The whole URL without user and password.
    public var text: String { origin + target }
    /// The origin alone.
    public var description: String { origin }
    /// Whether the host is this one: `localhost`, 127.0.0.0/8 or ::1.
    public var isLoopback: Bool {
        if host == "localhost" || host == "[::1]" { return true }
        let parts = host.split(separator: ".", omittingEmptySubsequences: false)
        return parts.count == 4 && parts[0] == "127" && parts.allSatisfy { UInt8($0) != nil }
    }

    /// Parses a URL.
    ///
    /// - Parameter base: what a relative URL is relative to, as in a `Location`.
    /// - Throws: `VoltError` with code `usage`; the text is not repeated, since it may hold a secret.
    public init(_ text: String, relativeTo base: WebURL? = nil) throws(VoltError) {
        let failure = VoltError(.usage, "this is no URL of http or https", hint: "write https://host/path")
        guard text.utf8.count <= Self.longest, text.utf8.allSatisfy({ $0 > 32 && $0 != 127 }),
            let handle = curl_url()
        else { throw failure }
        defer { curl_url_cleanup(handle) }
        if let base {
            guard curl_url_set(handle, CURLUPART_URL, base.text, 0) == CURLUE_OK else { throw failure }
        }
        guard curl_url_set(handle, CURLUPART_URL, text, 0) == CURLUE_OK else { throw failure }
        func part(_ part: CURLUPart, _ flags: Int32 = 0) -> String? {
            var value: UnsafeMutablePointer<CChar>?
            guard curl_url_get(handle, part, &value, UInt32(flags)) == CURLUE_OK, let value else {
                return nil
            }
            defer { curl_free(value) }
            return String(cString: value)
        }
        guard let scheme = part(CURLUPART_SCHEME)?.lowercased(), scheme == "https" || scheme == "http",
            let host = part(CURLUPART_HOST), !host.isEmpty,
            let port = part(CURLUPART_PORT, CURLU_DEFAULT_PORT).flatMap(Int.init)
        else { throw failure }
        self.scheme = scheme
        self.host = host.lowercased()
        self.port = port
        target = (part(CURLUPART_PATH) ?? "/") + (part(CURLUPART_QUERY).map { "?\($0)" } ?? "")
        user = part(CURLUPART_USER, CURLU_URLDECODE)
        password = part(CURLUPART_PASSWORD, CURLU_URLDECODE)
    }
}
