public import VoltCore

/// An HTTP proxy: `http://host:port`.
public struct ProxyAddress: Sendable, Hashable {
    /// The host; an IPv6 address without its brackets.
    public let host: String
    /// The port.
    public let port: Int
    /// The address as a URL.
    public let url: String

    /// Reads an address.
    ///
    /// - Throws: `VoltError` with code `usage`; a password in it is not repeated in the message.
    public init(_ text: String) throws(VoltError) {
        let problem = VoltError(
            .usage, "the proxy is no address that can be used",
            hint: "write it like http://proxy.example:3128, without a user and a path")
        guard text.hasPrefix("http://"), text.utf8.count <= 300, text.utf8.allSatisfy({ $0 > 32 && $0 < 127 })
        else { throw problem }
        var place = text.dropFirst(7)
        if place.hasSuffix("/") { place = place.dropLast() }
        guard let colon = place.lastIndex(of: ":"), let port = Int(place[place.index(after: colon)...]),
            (1...65_535).contains(port)
        else { throw problem }
        var host = place[..<colon]
        let isBracketed = host.hasPrefix("[") && host.hasSuffix("]")
        if isBracketed { host = host.dropFirst().dropLast() }
        let allowed = { (character: Character) in
            character.isLetter || character.isNumber || "-.".contains(character)
                || (isBracketed && character == ":")
        }
        guard !host.isEmpty, !host.hasPrefix("-"), host.allSatisfy(allowed) else { throw problem }
        self.host = String(host)
        self.port = port
        url = "http://\(place)"
    }
}
