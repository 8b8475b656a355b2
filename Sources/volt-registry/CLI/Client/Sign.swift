internal import ArgumentParser
internal import VoltCLI
internal import VoltCore
internal import VoltCrypto
internal import VoltOCI
internal import VoltRegistry
internal import VoltSigning
internal import VoltSystem

/// `KEY=VALUE`.
struct AnnotationArgument: ExpressibleByArgument {
    let key: String
    let value: String

    init?(argument: String) {
        let parts = argument.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
        guard parts.count == 2, !parts[0].isEmpty else { return nil }
        key = String(parts[0])
        value = String(parts[1])
    }

    static func dictionary(_ arguments: [AnnotationArgument]) -> [String: String] {
        Dictionary(arguments.map { ($0.key, $0.value) }) { $1 }
    }
}

struct Sign: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "sign", abstract: "Sign an image, so that others can tell where it is from.",
        discussion: """
            What is signed is the digest that the tag has now, in the form of cosign. The signature is put to two \
            places: as a referrer of the image (OCI 1.1), and below the tag 'sha256-HEX.sig' where cosign, skopeo \
            and podman look by default. A key that has signed the same already adds nothing.

            The key is a PEM file: P-256, Ed25519, or RSA of 2048 to 8192 bits. One in the encrypted form of cosign \
            is not read.

            Examples:
              volt registry key create --output team
              volt registry sign --key team.key registry.example/team/web:1.4
            """)

    @OptionGroup var client: ClientOptions
    @OptionGroup var output: OutputOptions
    @Option(help: ArgumentHelp("The private key.", valueName: "file")) var key: String
    @Option(help: ArgumentHelp("Its passphrase is the first line of this file.", valueName: "file"))
    var passphraseFile: String?
    @Option(
        name: .shortAndLong,
        help: ArgumentHelp("A text that is signed as well, as KEY=VALUE.", valueName: "annotation"))
    var annotation: [AnnotationArgument] = []
    @Option(
        help: ArgumentHelp(
            "What the image is called, as HOST/REPOSITORY; the repository itself unless it is said.",
            valueName: "name"))
    var identity: String?
    @Flag(
        help:
            "Also sign each image of an index: podman and skopeo look for a signature of the one that they take."
    )
    var recursive = false
    @Argument(help: "HOST/REPOSITORY:TAG or oci:DIRECTORY:TAG.", transform: Target.parse) var target: Target

    private struct Row: Encodable {
        let digest: String
        let identity: String
        let fingerprint: Digest
        let added: Bool
    }

    func run() throws {
        let key = try privateKey()
        let identity = try signedName()
        let place = try client.open(target)
        let signatures = ImageSignatures(place)
        var rows: [Row] = []
        func sign(_ manifest: FetchedManifest) throws {
            let payload = SigningPayload(
                identity: identity, digest: manifest.digest,
                annotations: AnnotationArgument.dictionary(annotation))
            let isAdded = try signatures.sign(manifest, payload, with: key)
            rows.append(
                Row(
                    digest: manifest.digest.description, identity: identity,
                    fingerprint: key.publicKey.fingerprint, added: isAdded))
            guard recursive else { return }
            for child in manifest.document.manifests { try sign(try place.manifest(child.digest)) }
        }
        try sign(try place.manifest(target.reference))
        if output.format == .json { return try Output.put(Output.json(rows)) }
        for row in rows {
            if !row.added { Output.note("'\(row.digest)' has this signature already") }
            try Output.put(row.digest)
        }
    }

    private func privateKey() throws -> PrivateKey {
        var passphrase: String?
        if let passphraseFile {
            let bytes = try Files.read(passphraseFile, limit: 64 << 10)
            passphrase = String(decoding: bytes.prefix { $0 != 10 && $0 != 13 }, as: UTF8.self)
        }
        return try PrivateKey(
            pem: try Files.read(key, limit: 1 << 20), passphrase: passphrase, named: key)
    }

    private func signedName() throws -> String {
        if let identity {
            let name = try OCIReference(identity)
            return "\(name.host)/\(name.repository)"
        }
        guard case .repository(let host, let repository) = target.place else {
            throw ValidationError("say with --identity HOST/REPOSITORY what the image of a layout is called")
        }
        return "\(host)/\(repository)"
    }
}

struct Verify: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "verify", abstract: "Show who signed an image, or refuse it.",
        discussion: """
            Signatures in the forms of cosign are looked for as referrers of the image and below the tag \
            'sha256-HEX.sig'. One that a given key made over the digest that the tag has now is enough. Ends with 5 \
            when there is none, and with 3 when there is no image.

            Example:
              volt registry verify --key team.pub registry.example/team/web:1.4
            """)

    @OptionGroup var client: ClientOptions
    @OptionGroup var output: OutputOptions
    @Option(help: ArgumentHelp("A public key, or several in one PEM file.", valueName: "file"))
    var key: [String] = []
    @Option(
        help: ArgumentHelp(
            "Refuse signatures for images of other names than this HOST/REPOSITORY.", valueName: "name"))
    var identity: String?
    @Option(
        name: .shortAndLong,
        help: ArgumentHelp("Refuse signatures that do not say KEY=VALUE.", valueName: "annotation"))
    var annotation: [AnnotationArgument] = []
    @Argument(help: "HOST/REPOSITORY:TAG or oci:DIRECTORY:TAG.", transform: Target.parse) var target: Target

    private struct Row: Encodable {
        struct Signature: Encodable {
            let key: String
            let fingerprint: Digest
            let identity: String
            let annotations: [String: String]
        }
        let digest: String
        let signatures: [Signature]
        let otherSignatures: Int
        let notes: [String]
    }

    func validate() throws {
        guard !key.isEmpty else { throw ValidationError("--key says whose signature is wanted") }
    }

    func run() throws {
        var keys: [TrustedKey] = []
        for path in key {
            keys += try TrustedKey.keys(pem: try Files.read(path, limit: 1 << 20), named: path)
        }
        let place = try client.open(target)
        guard let digest = try place.resolve(target.reference) else {
            throw VoltError(.notFound, "'\(place.name)' has no '\(target.reference)'")
        }
        let wanted = try identity.map { (text) throws(VoltError) in try OCIReference(text) }
        let report = try ImageSignatures(place).verify(
            SignatureCheck(
                keys: keys, digest: digest, identity: wanted.map { .repository("\($0)") } ?? .any,
                annotations: AnnotationArgument.dictionary(annotation)))
        try report.require(
            "\(place.name)@\(digest)", hint: "sign it with 'volt registry sign', or name another key")
        if output.format == .json { return try Output.put(Output.json(row(report))) }
        try Output.put(digest)
        var table = Table(["SIGNED BY", "FINGERPRINT", "FOR", "ANNOTATIONS"])
        for good in report.good {
            let annotations = good.payload.annotations.sorted { $0.key < $1.key }
                .map { "\($0.key)=\($0.value)" }
            table.add([
                good.key.name, good.key.fingerprint.short,
                good.payload.identity.isEmpty ? "-" : good.payload.identity,
                annotations.joined(separator: " "),
            ])
        }
        try Output.put(table.text(), terminator: "")
        for good in report.good where !good.payload.identity.isEmpty && isForeign(good) {
            Output.note(
                "note: the signature of '\(good.key.name)' is for '\(PrintableText.line(good.payload.identity, limit: 300))': require a name with --identity"
            )
        }
    }

    private func isForeign(_ good: SignatureReport.Good) -> Bool {
        guard identity == nil, case .repository(let host, let name) = target.place else { return false }
        return !SignatureCheck.names(good.payload.identity, "\(host)/\(name)")
    }

    private func row(_ report: SignatureReport) -> Row {
        Row(
            digest: report.digest.description,
            signatures: report.good.map {
                .init(
                    key: $0.key.name, fingerprint: $0.key.fingerprint, identity: $0.payload.identity,
                    annotations: $0.payload.annotations)
            }, otherSignatures: report.unknown, notes: report.reasons)
    }
}
