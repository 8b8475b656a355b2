internal import VoltCore
internal import VoltManifest
internal import VoltSystem

/// What a snapshot asks for.
struct FoundManifest: Equatable {
    /// The directory that holds the manifest.
    let source: String
    /// The absolute path of the manifest.
    let file: String
    /// The kind of workload.
    let kind: String
}

/// Looks for the manifest of a snapshot, in the order `volt-manifest.yaml`, `Voltfile`, `volt-compose.yaml`.
enum ManifestFinder {
    /// The names in their order, with the kind that the name alone gives.
    static let names: [(file: String, kind: String?)] = [
        ("volt-manifest.yaml", nil), ("Voltfile", "container"), ("volt-compose.yaml", "compose"),
    ]
    /// A larger manifest is refused, in bytes.
    static let sizeLimit = 1 << 20

    /// Whether anything in the place of a manifest has the name of one.
    static func exists(in snapshot: String, path: String) -> Bool {
        names.contains { Files.exists("\(snapshot)/\(path.isEmpty ? $0.file : "\(path)/\($0.file)")") }
    }

    /// Finds the manifest; no link is followed on the way to it.
    ///
    /// - Throws: `VoltError` that names the file, its line and column where it cannot be read.
    static func find(in snapshot: String, path: String, workload: Name) throws(VoltError) -> FoundManifest {
        for (name, kind) in names {
            let relative = path.isEmpty ? name : "\(path)/\(name)"
            let bytes: [UInt8]
            do throws(VoltError) {
                bytes = try Files.read(beneath: snapshot, relative, limit: sizeLimit)
            } catch  where error.code == .notFound {
                continue
            }
            let source = path.isEmpty ? snapshot : "\(snapshot)/\(path)"
            if let kind { return FoundManifest(source: source, file: "\(source)/\(name)", kind: kind) }
            let manifest = try Manifest(bytes: bytes, file: relative)
            if let given = manifest.name, given != workload {
                throw VoltError(
                    .failed, "'\(relative)' is of workload '\(given)', and the pipeline's is '\(workload)'",
                    hint: "leave 'name' out, or make them equal")
            }
            return FoundManifest(source: source, file: "\(source)/\(name)", kind: manifest.kind.text)
        }
        let place = path.isEmpty ? "the root of the repository" : "'\(path)'"
        throw VoltError(
            .failed, "no volt-manifest.yaml, Voltfile or volt-compose.yaml in \(place)",
            hint: "add one, or give its directory with --path")
    }
}
