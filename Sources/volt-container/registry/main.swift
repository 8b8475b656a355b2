import ContainerTransfer
import FoundationEssentials
import Glibc
import VoltCore
import VoltOCI
import VoltRegistry
import VoltSigning
import VoltSystem

// volt-container--registry: speaks with registries for `volt container pull` and `push`, so that the tool itself need not
// load libcurl. It reads a request as JSON from standard input, and prints reports as lines of JSON.

/// Says something to the tool.
@Sendable func report(_ report: RegistryReport) throws(VoltError) {
    let line = (try? JSONEncoder().encode(report)) ?? Data()
    try StandardOutput.write(Array(line) + [10])
}

do throws(VoltError) {
    let bytes = try Files.read("/dev/stdin", limit: RegistryRequest.longest)
    guard let request = try? JSONDecoder().decode(RegistryRequest.self, from: Data(bytes)) else {
        throw VoltError(
            .failed, "the request to the helper is of another version",
            hint: "install the tool again: its helper programs belong to it")
    }
    let registries = try Registries(Environment.current, authFile: request.authFile)
    let reference = try OCIReference(request.reference)
    switch request.task {
    case .look(let known, let directory, let wanted):
        try look(
            for: reference, known: known, directory, wanted, try registries.place(reference, request.access))
    case .fetch(let blobs): try fetch(blobs, from: try registries.place(reference, request.access))
    case .push(let manifest, let blobs, let directory):
        let push = try Push(
            blobs, directory, to: try registries.place(reference, request.access), of: reference.host,
            registries)
        var tag = reference.tag
        if tag == nil { tag = try OCITagName("latest") }
        if let tag { try push.run(manifest: manifest, tag: tag) }
    }
} catch {
    // The tool that runs this says it to people.
    let text = [error.message] + (error.hint.map { [$0] } ?? [])
    try? Files.write(Array("\(text.joined(separator: "\n"))\n".utf8), to: 2, named: "standard error")
    exit(error.code.rawValue)
}

/// Writes blobs to standard output while they come. Where a connection breaks the next one goes on. Who reads compares them
/// with their digests, too.
func fetch(_ blobs: [OCIDescriptor], from source: RepositoryPlace) throws(VoltError) {
    for blob in blobs {
        try source.read(blob) { part throws(VoltError) in try StandardOutput.write(part) }
    }
}

/// The signatures of an image that are as wanted, and what was found when none is.
func verify(_ digest: OCIDigest, _ wanted: WantedSignatures, in place: any ContentPlace) throws(VoltError)
    -> (
        good: [GoodSignature], problem: String?
    )
{
    var keys: [TrustedKey] = []
    for key in wanted.keys { keys += try TrustedKey.keys(pem: Array(key.pem.utf8), named: key.name) }
    let report = try ImageSignatures(place).verify(
        SignatureCheck(keys: keys, digest: digest, identity: wanted.identity.map { .repository($0) } ?? .any))
    let good = report.good.map {
        GoodSignature(fingerprint: $0.key.fingerprint.description, identity: $0.payload.identity)
    }
    return (good, good.isEmpty ? report.found : nil)
}

/// Finds an image, and fetches its manifest and configuration unless it is the known one or lacks what is wanted.
func look(
    for reference: OCIReference, known: String?, _ directory: String, _ wanted: WantedSignatures?,
    _ source: RepositoryPlace
) throws(VoltError) {
    let asked = reference.manifest ?? "latest"
    guard let digest = try source.resolve(asked) else {
        throw VoltError(
            .notFound, "'\(reference.host)' has no image '\(reference.repository):\(asked)'",
            hint: "see its tags with 'volt registry ls \(reference.host)/\(reference.repository)'")
    }
    let signatures = try wanted.map { (wanted) throws(VoltError) in try verify(digest, wanted, in: source) }
    var found: OCIDigest?
    if signatures?.problem == nil, digest.description != known {
        let root = try source.manifest(digest.description)
        let platform = OCIPlatform(architecture: OCILayout.hostArchitecture, os: "linux")
        let image = try ContentCopy.select(root, platform, source)
        guard let config = image.document.config, OCIMediaType.configs.contains(config.mediaType ?? "") else {
            throw VoltError(
                .failed, "'\(reference)' is an artifact and no image",
                hint: "fetch its files with 'volt registry pull'")
        }
        let layout = try LayoutPlace(directory, makes: true)
        var options = ContentCopy.Options()
        options.temporary = directory
        try ContentCopy(options).blobs([config], from: source, to: layout)
        try layout.put(image, tag: try OCITagName("pulled"))
        found = image.digest
    }
    try report(
        .found(
            digest: digest.description, image: found?.description, signatures: signatures?.good,
            problem: signatures?.problem))
}
