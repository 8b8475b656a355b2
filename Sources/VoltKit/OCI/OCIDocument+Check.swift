internal import FoundationEssentials
public import VoltCore

/// What a registry takes, and what a client believes: one document with one meaning, whoever reads it.
extension OCIDocument {
    /// Reads a document that comes from outside. Two programs must not see two things in it: the one that looks for
    /// signatures another image than the one that runs it (CVE-2021-41190).
    ///
    /// - Parameter type: what was said that it is.
    /// - Throws: `VoltError` with code `usage` that says what is wrong.
    public init(checking bytes: [UInt8], type: String? = nil) throws(VoltError) {
        try Self.checkText(bytes)
        try self.init(bytes)
        if let fault = DocumentMembers.fault(in: bytes) {
            throw VoltError(.usage, "the manifest \(fault)", hint: Self.remedy)
        }
        let present: [String: Presence]
        do { present = try JSONDecoder().decode([String: Presence].self, from: Data(bytes)) } catch {
            throw VoltError(.usage, "the manifest is no JSON object")
        }
        if present["config"]?.isNull == true {
            throw VoltError(.usage, "the manifest has 'config' with null", hint: Self.remedy)
        }
        func has(_ name: String) -> Bool { present[name].map { !$0.isNull } ?? false }
        let ofImages = ["layers", "config", "blobs"].first(where: has)
        if has("manifests"), let ofImages {
            throw VoltError(
                .usage, "the manifest has both '\(ofImages)' and 'manifests', and is an image or an index",
                hint: Self.remedy)
        }
        guard let type = mediaType ?? type else { return }
        if OCIMediaType.manifests.contains(type), has("manifests") {
            throw VoltError(
                .usage, "the manifest is of type '\(type)' and has 'manifests'", hint: Self.remedy)
        }
        if OCIMediaType.indexes.contains(type), let ofImages {
            throw VoltError(
                .usage, "the manifest is of type '\(type)' and has '\(ofImages)'", hint: Self.remedy)
        }
    }

    private static let remedy = "push it anew with the tool that made it, in a version of these days"

    /// JSON of other than its own programs is UTF-8 without a mark of the byte order (RFC 8259, section 8.1).
    private static func checkText(_ bytes: [UInt8]) throws(VoltError) {
        let fault: String? =
            if bytes.starts(with: [0xef, 0xbb, 0xbf]) {
                "begins with a byte order mark"
            } else if bytes.starts(with: [0xfe, 0xff]) || bytes.starts(with: [0xff, 0xfe])
                || bytes.prefix(4).contains(0)
            {
                "is in UTF-16 or UTF-32"
            } else if String(validating: bytes, as: UTF8.self) == nil {
                "is not UTF-8"
            } else {
                nil
            }
        if let fault {
            throw VoltError(.usage, "the manifest \(fault), and is to be plain UTF-8", hint: remedy)
        }
    }

    private struct Presence: Decodable {
        let isNull: Bool

        init(from decoder: any Decoder) throws {
            isNull = try decoder.singleValueContainer().decodeNil()
        }
    }
}

/// Looks at the names of the members of a document that is known to be JSON.
private struct DocumentMembers {
    /// What an object is: its names are known, or anybody's.
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

    private static let ofDocuments: Set<String> = [
        "schemaVersion", "mediaType", "artifactType", "config", "layers", "blobs", "manifests", "subject",
        "annotations",
    ]
    private static let ofDescriptors: Set<String> = [
        "mediaType", "digest", "size", "urls", "annotations", "data", "artifactType", "platform",
    ]
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
                    return "has the member '\(RegistryText.plain(name, longest: 100))' twice"
                }
                if let known = misspelt(name, frames[last].kind) {
                    return
                        "has the member '\(RegistryText.plain(name, longest: 100))', which others read as '\(known)'"
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
        let names: Set<String>
        switch kind {
        case .document: names = ofDocuments
        case .descriptor: names = ofDescriptors
        case .free: return nil
        }
        if names.contains(name) { return nil }
        let folded = folded(name)
        return names.first { Self.folded($0) == folded }
    }

    /// Also the long s and the sign of Kelvin are letters to them.
    private static func folded(_ name: String) -> String {
        name.lowercased().replacing("\u{17f}", with: "s").replacing("\u{212a}", with: "k")
    }
}
