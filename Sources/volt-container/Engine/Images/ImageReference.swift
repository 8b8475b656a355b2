public import VoltCore

/// The name of an image as people write it: `name[:tag][@digest]`.
///
/// The tag is `latest` when none is written. A host in front of the name (`registry.example:5000/web`)
/// is a part of the name; nothing is added to a name without one.
public struct ImageReference: Sendable, Hashable, CustomStringConvertible {
    /// The name without tag and digest.
    public let name: String
    /// The tag.
    public let tag: String
    /// The digest, when the image must be exactly that one.
    public let digest: Digest?

    /// Parses a reference.
    ///
    /// - Throws: `VoltError` with code `usage`.
    public init(_ text: some StringProtocol) throws(VoltError) {
        let failure = VoltError(
            .usage, "'\(text)' is not the name of an image",
            hint:
                "write name[:tag][@sha256:digest] in lower case, such as busybox or registry.example/team/web:1.4"
        )
        var rest = Substring(text)
        var digest: Digest?
        if let at = rest.firstIndex(of: "@") {
            digest = try Digest(rest[rest.index(after: at)...])
            rest = rest[..<at]
        }
        var tag = "latest"
        let lastSlash = rest.lastIndex(of: "/") ?? rest.startIndex
        if let colon = rest[lastSlash...].lastIndex(of: ":") {
            tag = String(rest[rest.index(after: colon)...])
            rest = rest[..<colon]
        }
        let components = rest.split(separator: "/", omittingEmptySubsequences: false)
        guard rest.utf8.count <= 255, Self.isTag(tag), !components.isEmpty else { throw failure }
        for (index, component) in components.enumerated() {
            let isHost = index == 0 && components.count > 1
            guard Self.isComponent(component, allowsColon: isHost) else { throw failure }
        }
        name = String(rest)
        self.tag = tag
        self.digest = digest
    }

    /// `name:tag`, with `@digest` when there is one.
    public var description: String { "\(name):\(tag)" + (digest.map { "@\($0)" } ?? "") }

    /// `name:tag`, under which the store knows the image.
    public var stored: String { "\(name):\(tag)" }

    private static func isComponent(_ text: Substring, allowsColon: Bool) -> Bool {
        func isAlphanumeric(_ byte: UInt8) -> Bool { (48...57).contains(byte) || (97...122).contains(byte) }
        let bytes = Array(text.utf8)
        guard let first = bytes.first, let last = bytes.last, isAlphanumeric(first), isAlphanumeric(last)
        else {
            return false
        }
        var name = bytes[...]
        if allowsColon, let colon = bytes.firstIndex(of: UInt8(ascii: ":")) {
            guard UInt16(String(decoding: bytes[(colon + 1)...], as: UTF8.self)) != nil else { return false }
            name = bytes[..<colon]
        }
        return name.allSatisfy { isAlphanumeric($0) || Array("._-".utf8).contains($0) }
    }

    private static func isTag(_ text: String) -> Bool {
        let bytes = Array(text.utf8)
        guard (1...128).contains(bytes.count), bytes[0] != UInt8(ascii: "."), bytes[0] != UInt8(ascii: "-")
        else {
            return false
        }
        return bytes.allSatisfy {
            (48...57).contains($0) || (65...90).contains($0) || (97...122).contains($0)
                || Array("._-".utf8).contains($0)
        }
    }
}
