internal import CVoltSystem
internal import Glibc
internal import VoltArchive
internal import VoltCore
internal import VoltOCI
public import VoltStore
internal import VoltSystem

/// Takes an OCI image layout into a store.
public enum LayoutImport {
    /// The attribute by which the directory of a layer says what its tree lacks.
    static let mark = Array("user.volt.incomplete".utf8)

    /// What came in.
    public struct Outcome: Sendable {
        /// The tags.
        public var tags: [Tag] = []
        /// What was left out.
        public var notes: [String] = []
    }

    /// Imports an image as the tree that its layers make, an artifact of one blob as the blob. Nothing is believed
    /// before it was compared with its digest.
    ///
    /// - Parameters:
    ///   - names: those of the layout; nothing is all.
    ///   - asName: the name of the tag, for one; a layout that gives no name needs it.
    public static func run(
        _ store: ContentStore, _ directory: String, _ names: [String], as asName: String? = nil,
        representation: Representation
    ) throws -> Outcome {
        guard OCILayout.isLayout(directory) else {
            throw VoltError(
                .notFound, "'\(directory)' is no OCI image layout",
                hint: "name a directory with oci-layout and index.json, such as one made by 'skopeo copy'")
        }
        let layout = OCILayout(directory: directory)
        let known = try layout.names()
        for name in names where !known.contains(name) {
            throw VoltError(
                .notFound, "'\(directory)' has no '\(name)'",
                hint: known.isEmpty ? "it gives no names" : "it has \(known.joined(separator: ", "))")
        }
        let wanted: [String?] = names.isEmpty ? (known.isEmpty ? [nil] : known) : names
        guard asName == nil || wanted.count == 1 else {
            throw VoltError(.usage, "one name cannot be that of \(wanted.count)", hint: "leave --as out")
        }
        var outcome = Outcome()
        for name in wanted {
            let contents = try layout.contents(architecture: OCILayout.hostArchitecture, named: name)
            guard let tag = asName ?? name else {
                throw VoltError(.usage, "'\(directory)' gives no name", hint: "give one with --as NAME")
            }
            if contents.layers.allSatisfy(\.isArchive), !contents.layers.isEmpty {
                let tree = try tree(store, layout, contents, representation, tag, &outcome.notes)
                outcome.tags.append(tree)
            } else {
                outcome.tags.append(try blob(store, layout, contents, representation, tag))
            }
        }
        return outcome
    }

    private static func blob(
        _ store: ContentStore, _ layout: OCILayout, _ contents: OCILayout.Contents,
        _ representation: Representation, _ tag: String
    ) throws -> Tag {
        guard contents.layers.count == 1, let layer = contents.layers.first else {
            throw VoltError(
                .failed, "'\(tag)' is an artifact of \(contents.layers.count) blobs, and a tag names one",
                hint: "put its blobs into the store with 'volt cas put'")
        }
        let descriptor = try open(layout, layer.blob)
        defer { close(descriptor) }
        let result = try store.put(
            descriptor, named: "blob \(layer.blob.short)", representation: representation)
        guard result.digest == layer.blob, result.size == layer.size else { throw wrong(layer.blob) }
        try store.setTag(tag, to: result.digest, kind: .blob)
        return try named(tag, store)
    }

    private static func tree(
        _ store: ContentStore, _ layout: OCILayout, _ contents: OCILayout.Contents,
        _ representation: Representation, _ tag: String, _ notes: inout [String]
    ) throws -> Tag {
        guard HostPaths.runsAsRoot else {
            throw VoltError(
                .refused, "the owners of an image can only be kept by root", hint: "run the command with sudo"
            )
        }
        var trees: [Digest] = []
        var leases: [String] = []
        defer { for lease in leases { try? store.endLease(lease) } }
        let isAlone = contents.layers.count == 1
        for layer in contents.layers {
            let tree = try store.withTemporaryDirectory { directory in
                let descriptor = try open(layout, layer.blob)
                defer { close(descriptor) }
                var unpack = UnpackOptions()
                unpack.isLayer = !isAlone
                unpack.makesDevices = true
                unpack.isVerified = true
                let result = try Tar.unpack(
                    descriptor: descriptor, name: "layer \(layer.blob.short)", into: directory,
                    options: unpack)
                guard result.compressedDigest == layer.blob, result.compressedCount == layer.size,
                    layer.diffID == nil || layer.diffID == result.digest
                else { throw wrong(layer.blob) }
                notes += result.skippedExamples
                var options = IngestOptions()
                options.representation = representation
                options.keepsOverlayMarks = !isAlone
                options.usesCache = false
                options.consumes = representation == .bare
                if isAlone { options.mark = try takeMark(of: directory) }
                return try store.addTree(directory, options: options, tag: isAlone ? tag : nil).digest
            }
            trees.append(tree)
            leases.append(
                try store.takeLease(on: tree, kind: .tree, holder: "import", for: .seconds(86_400)).id)
        }
        if !isAlone { _ = try store.mergeTrees(trees, representation: representation, tag: tag) }
        return try named(tag, store)
    }

    /// The mark of a tree that was incomplete when it was exported, which is no attribute of the directory.
    private static func takeMark(of directory: String) throws -> [UInt8]? {
        let descriptor = volt_open(directory, O_RDONLY | O_DIRECTORY, 0)
        guard descriptor >= 0 else { throw SystemError.current.during("cannot open '\(directory)'") }
        defer { close(descriptor) }
        var value = [UInt8](repeating: 0, count: 65536)
        let name = mark.map { CChar(bitPattern: $0) } + [0]
        let count = volt_fgetxattr(descriptor, name, &value, value.count)
        guard count >= 0, volt_fremovexattr(descriptor, name) == 0 else { return nil }
        return Array(value[..<count])
    }

    private static func named(_ tag: String, _ store: ContentStore) throws -> Tag {
        guard let found = try store.tag(tag) else { throw VoltError(.failed, "tag '\(tag)' is gone") }
        return found
    }

    private static func open(_ layout: OCILayout, _ blob: Digest) throws -> Int32 {
        let root = volt_open(layout.directory, O_RDONLY | O_DIRECTORY, 0)
        guard root >= 0 else { throw SystemError.current.during("cannot open '\(layout.directory)'") }
        defer { close(root) }
        let descriptor = volt_open_beneath(root, OCILayout.path(of: blob), O_RDONLY | O_NONBLOCK, 0)
        guard descriptor >= 0 else { throw SystemError.current.during("cannot open blob '\(blob)'") }
        return descriptor
    }

    private static func wrong(_ blob: Digest) -> VoltError {
        VoltError(
            .refused, "blob '\(blob)' has other bytes than its digest says", hint: "fetch the image again")
    }
}
