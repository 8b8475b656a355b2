import FoundationEssentials
import Glibc
import VoltCore
import VoltOCI
import VoltRegistry
import VoltSigning
import VoltSystem

// volt-container--pull: fetches what `volt container pull` wants of a registry, so that the tool itself need not load
// libcurl. It reads a request as JSON from standard input, writes into an OCI image layout, and prints JSON.

/// What is asked for.
struct Request: Decodable {
    /// `HOST/REPOSITORY:TAG` or with a digest.
    var reference: String
    /// The layout, which is made when it is not there.
    var directory: String
    /// The digest that is there already: nothing is fetched when it is that one.
    var known: String?
    /// The blobs to fetch; nil for the manifest and the configuration.
    var blobs: [OCIDescriptor]?
    var isPlain: Bool
    var caFile: String?
    var authFile: String?
    /// The signatures that the image must have; nil when it needs none.
    var wanted: Wanted?
}

/// Which signatures are wanted.
struct Wanted: Decodable {
    struct Key: Decodable {
        var name: String
        var pem: String
    }
    var keys: [Key]
    var identity: String?
}

/// What was found.
struct Answer: Encodable {
    struct Signature: Encodable {
        var fingerprint: Digest
        var identity: String
    }
    var digest: String
    var signatures: [Signature]?
    var found: String?

    /// Looks for the signatures that are wanted.
    init(_ digest: OCIDigest, _ wanted: Wanted?, in place: any ContentPlace) throws(VoltError) {
        self.digest = digest.description
        guard let wanted else { return }
        var keys: [TrustedKey] = []
        for key in wanted.keys { keys += try TrustedKey.keys(pem: Array(key.pem.utf8), named: key.name) }
        let report = try ImageSignatures(place).verify(
            SignatureCheck(
                keys: keys, digest: digest, identity: wanted.identity.map { .repository($0) } ?? .any))
        signatures = report.good.map {
            Signature(fingerprint: $0.key.fingerprint, identity: $0.payload.identity)
        }
        if report.good.isEmpty { found = report.found }
    }
}

do throws(VoltError) {
    let bytes = try Files.read("/dev/stdin", limit: 8 << 20)
    guard let request = try? JSONDecoder().decode(Request.self, from: Data(bytes)) else {
        throw VoltError(.failed, "the request to pull is of another version")
    }
    let environment = Environment.current
    let reference = try OCIReference(request.reference)
    let account = try DockerConfiguration(environment: environment, file: request.authFile).account(
        for: reference.host)
    var settings = RegistryEndpoint.Settings()
    settings.isPlain = request.isPlain
    settings.caFile = request.caFile
    settings.proxy = environment["HTTPS_PROXY"] ?? environment["https_proxy"]
    let client = try RegistryClient(
        RegistryEndpoint(host: reference.host, account: account, settings: settings))
    let source = RepositoryPlace(client, reference.repository)
    let layout = try LayoutPlace(request.directory, makes: true)
    var options = ContentCopy.Options()
    options.temporary = request.directory
    let copy = ContentCopy(options)
    if let blobs = request.blobs {
        try copy.blobs(blobs, from: source, to: layout)
        exit(0)
    }
    let asked = reference.manifest ?? "latest"
    guard let digest = try client.resolve(asked, in: reference.repository) else {
        throw VoltError(
            .notFound, "'\(reference.host)' has no image '\(reference.repository):\(asked)'",
            hint: "see its tags with 'volt registry ls \(reference.host)/\(reference.repository)'")
    }
    let answer = try Answer(digest, request.wanted, in: source)
    // Nothing of an image without them is fetched.
    if answer.found == nil, digest.description != request.known {
        let root = try source.manifest(digest.description)
        let platform = OCIPlatform(architecture: OCILayout.hostArchitecture, os: "linux")
        let image = try ContentCopy.select(root, platform, source)
        guard let config = image.document.config, OCIMediaType.configs.contains(config.mediaType ?? "") else {
            throw VoltError(
                .failed, "'\(request.reference)' is an artifact and no image",
                hint: "fetch its files with 'volt registry pull'")
        }
        try copy.blobs([config], from: source, to: layout)
        try layout.put(image, tag: try OCITagName("pulled"))
    }
    let output = try? JSONEncoder().encode(answer)
    try Files.write(Array(output ?? Data()), to: 1, named: "standard output")
} catch {
    // The tool that runs this says it to people.
    let text = [error.message] + (error.hint.map { [$0] } ?? [])
    try? Files.write(Array("\(text.joined(separator: "\n"))\n".utf8), to: 2, named: "standard error")
    exit(error.code.rawValue)
}
