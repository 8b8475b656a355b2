internal import FoundationEssentials
public import VoltCore

/// The check of documents that come from outside, the same for servers and clients.
extension OCIDocument {
    /// Reads a document that comes from outside. Two programs must not see two things in it: the one that looks for
    /// signatures another image than the one that runs it (CVE-2021-41190).
    ///
    /// - Parameter type: the media type that came with it.
    /// - Throws: `VoltError`; code `usage` when it is not a document, `refused` when it could be read as two.
    public init(checking bytes: [UInt8], type: String? = nil) throws(VoltError) {
        try Self.checkText(bytes)
        try self.init(bytes)
        if let fault = DocumentMembers.fault(in: bytes) { throw Self.ambiguous(fault) }
        let present: Presence
        do { present = try JSONDecoder().decode(Presence.self, from: Data(bytes)) } catch {
            throw VoltError(.usage, "the manifest is not a JSON object")
        }
        if present.hasNullConfig { throw Self.ambiguous("has 'config' with null") }
        if present.hasManifests, let ofImages = present.ofImages {
            throw Self.ambiguous("has both '\(ofImages)' and 'manifests', and is an image or an index")
        }
        guard let type = mediaType ?? type else { return }
        if OCIMediaType.manifests.contains(type), present.hasManifests {
            throw Self.ambiguous("is of type '\(type)' and has 'manifests'")
        }
        if OCIMediaType.indexes.contains(type), let ofImages = present.ofImages {
            throw Self.ambiguous("is of type '\(type)' and has '\(ofImages)'")
        }
    }

    private static func ambiguous(_ fault: String) -> VoltError {
        VoltError(
            .refused, "the manifest \(fault)",
            hint: "push it again with a current version of the tool that made it")
    }

    /// JSON between programs is UTF-8 without a byte order mark (RFC 8259, section 8.1).
    private static func checkText(_ bytes: [UInt8]) throws(VoltError) {
        let fault: String? =
            if bytes.starts(with: [0xef, 0xbb, 0xbf]) {
                "begins with a byte order mark"
            } else if bytes.starts(with: [0xfe, 0xff]) || bytes.starts(with: [0xff, 0xfe])
                || bytes.prefix(4).contains(0)
            {
                "is in UTF-16 or UTF-32"
            } else {
                nil
            }
        if let fault { throw ambiguous("\(fault), and must be plain UTF-8") }
        guard String(validating: bytes, as: UTF8.self) != nil else {
            throw VoltError(.usage, "the manifest is not UTF-8")
        }
    }

    /// The members that a document has, null or not.
    private struct Presence: Decodable {
        private enum Key: String, CodingKey { case config, layers, blobs, manifests }

        let hasNullConfig: Bool
        let hasManifests: Bool
        /// The first member that only a manifest of an image has.
        let ofImages: String?

        init(from decoder: any Decoder) throws {
            let members = try decoder.container(keyedBy: Key.self)
            func has(_ key: Key) throws -> Bool {
                try members.contains(key) && !members.decodeNil(forKey: key)
            }
            hasNullConfig = try members.contains(.config) && members.decodeNil(forKey: .config)
            hasManifests = try has(.manifests)
            ofImages = try [Key.layers, .config, .blobs].first(where: has)?.rawValue
        }
    }
}

/// Looks at the names of the members of a document that is known to be JSON.
private struct DocumentMembers {
    /// The kind of an object; the names of members of a free one are not defined.
    private enum Kind {
        case document
        case descriptor
        case free
    }
    private struct Frame {
        let kind: Kind
        let isObject: Bool
        var seen: Set<[UInt8]> = []
        /// The last name.
        var name = ""
        var isAtName: Bool
    }

    private static let ofDocuments = byFoldedName([
        "schemaVersion", "mediaType", "artifactType", "config", "layers", "blobs", "manifests", "subject",
        "annotations",
    ])
    private static let ofDescriptors = byFoldedName([
        "mediaType", "digest", "size", "urls", "annotations", "data", "artifactType", "platform",
    ])
    /// No longer name is taken for one of these.
    private static let longestName = 32

    private static func byFoldedName(_ names: [String]) -> [String: String] {
        Dictionary(uniqueKeysWithValues: names.map { (folded($0), $0) })
    }
    private static let descriptors: Set<String> = ["config", "layers", "blobs", "manifests", "subject"]

    /// A name that stands twice in one object, or one that others read as a name that they know; nil when all is well.
    static func fault(in bytes: [UInt8]) -> String? {
        var frames: [Frame] = []
        var offset = 0
        while offset < bytes.count {
            let byte = bytes[offset]
            switch byte {
            case UInt8(ascii: "{"), UInt8(ascii: "["):
                let isObject = byte == UInt8(ascii: "{")
                frames.append(Frame(kind: kind(in: frames.last), isObject: isObject, isAtName: isObject))
            case UInt8(ascii: "}"), UInt8(ascii: "]"): _ = frames.popLast()
            case UInt8(ascii: ","):
                if let last = frames.indices.last { frames[last].isAtName = frames[last].isObject }
            case UInt8(ascii: "\""):
                let start = offset
                offset += 1
                while offset < bytes.count, bytes[offset] != UInt8(ascii: "\"") {
                    offset += bytes[offset] == UInt8(ascii: "\\") ? 2 : 1
                }
                guard let last = frames.indices.last, frames[last].isAtName, offset < bytes.count else {
                    break
                }
                let name = text(bytes[start...offset])
                if !frames[last].seen.insert(Array(name.utf8)).inserted {
                    return "has the member '\(PrintableText.line(name, limit: 100))' twice"
                }
                if let known = misspelt(name, frames[last].kind) {
                    return
                        "has the member '\(PrintableText.line(name, limit: 100))', which others read as '\(known)'"
                }
                frames[last].name = name
                frames[last].isAtName = false
            default: break
            }
            offset += 1
        }
        return nil
    }

    private static func kind(in parent: Frame?) -> Kind {
        guard let parent else { return .document }
        if !parent.isObject { return parent.kind }
        return parent.kind == .document && descriptors.contains(parent.name) ? .descriptor : .free
    }

    /// The text of a string with its quotes.
    private static func text(_ bytes: ArraySlice<UInt8>) -> String {
        let plain = String(decoding: bytes.dropFirst().dropLast(), as: UTF8.self)
        guard bytes.contains(UInt8(ascii: "\\")) else { return plain }
        return (try? JSONDecoder().decode(String.self, from: Data(bytes))) ?? plain
    }

    /// The name that a reader takes it for that does not tell small letters from capitals, as programs in Go do.
    private static func misspelt(_ name: String, _ kind: Kind) -> String? {
        let names: [String: String]
        switch kind {
        case .document: names = ofDocuments
        case .descriptor: names = ofDescriptors
        case .free: return nil
        }
        guard name.utf8.count <= longestName, let known = names[folded(name)] else { return nil }
        return known == name ? nil : known
    }

    /// Also the long s and the sign of Kelvin are letters to them.
    private static func folded(_ name: String) -> String {
        name.lowercased().replacing("\u{17f}", with: "s").replacing("\u{212a}", with: "k")
    }
}
