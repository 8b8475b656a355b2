internal import Glibc
public import VoltCore

extension PluginSearch {
    /// The kinds of workload whose tools are Volt's own; the names are taken, see `docs/contract.md`.
    public static let ownKinds: Set<String> = ["compose", "container", "vm"]

    /// The absolute path of the tool that applies a kind of workload.
    ///
    /// A kind is a word of a manifest, which anybody who may push can write, and its tool runs with the rights of the
    /// caller. So a kind counts when an administrator has registered it, in a file beside the tool; whether a program
    /// is one is never found out by running it.
    ///
    /// - Parameter hint: what to do when the tool is not installed.
    /// - Throws: `VoltError` with code `missing` when there is no such tool, `refused` when it is not registered.
    public func tool(ofKind kind: String, hint: String? = nil) throws(VoltError) -> String {
        guard let found = first(kind) else {
            throw VoltError(.missing, "'volt-\(kind)' is not installed", hint: hint)
        }
        if Self.ownKinds.contains(kind) { return found.path }
        let file = Self.registration(of: kind, found.bytes)
        let shown = String(decoding: file, as: UTF8.self)
        let refusal: String
        do throws(MetadataFailure) {
            if let bytes = try TrustedFile.read(file, limit: JSONValue.maximumSize) {
                let metadata = try ToolMetadata(bytes, of: kind, voltVersion: VoltVersion.text)
                if metadata.kinds.contains(kind) { return found.path }
                refusal =
                    "'\(shown)' does not name it among its 'kinds': write \"kinds\": [\"\(kind)\"] there"
            } else {
                refusal =
                    "'\(found.path)' is not registered as one: if it is meant to be, write '\(shown)' with "
                    + "{\"contract\": 1, \"name\": \"\(kind)\", \"version\": \"1\", \"summary\": \"apply \(kind)\", "
                    + "\"kinds\": [\"\(kind)\"]}"
            }
        } catch { refusal = "'\(shown)' does not count: \(error.reason)" }
        throw VoltError(.refused, "'\(kind)' is not a kind of workload on this host", hint: refusal)
    }

    /// The file that registers a kind: the metadata of the tool, in the prefix of the directory that it was found in.
    private static func registration(of kind: String, _ tool: [UInt8]) -> [UInt8] {
        let slash = tool.lastIndex(of: UInt8(ascii: "/")) ?? 0
        // On a merged system /bin is a link, whose prefix is /usr.
        let directory = tool[..<slash].map { CChar(bitPattern: $0) } + [0]
        guard slash > 0, let resolved = realpath(directory, nil) else {
            return MetadataProbe.staticPath(kind, tool)
        }
        defer { free(resolved) }
        let bytes = (0..<strlen(resolved)).map { UInt8(bitPattern: resolved[$0]) }
        return MetadataProbe.staticPath(kind, bytes + tool[slash...])
    }
}
