public import VoltCore
public import VoltCrypto
public import VoltOCI

/// A public key that is trusted, and what people call it.
public struct TrustedKey: Sendable {
    /// Such as the path of its file.
    public let name: String
    /// What verifies.
    public let key: PublicKey

    /// - Parameters: see the properties.
    public init(name: String, key: PublicKey) {
        self.name = name
        self.key = key
    }

    /// The keys of a PEM file.
    ///
    /// - Throws: `VoltError` with code `refused`.
    public static func keys(pem bytes: [UInt8], named name: String) throws(VoltError) -> [TrustedKey] {
        try PublicKey.keys(pem: bytes, named: name).map { TrustedKey(name: name, key: $0) }
    }

    /// The SHA-256 of the key, as `openssl pkey -pubin -outform DER | sha256sum` gives it.
    public var fingerprint: Digest { key.fingerprint }
}

/// A payload with a signature, of which nothing is believed yet.
public struct SignatureCandidate: Sendable {
    /// What says what was signed.
    public let payload: [UInt8]
    /// The signature in Base64.
    public let signature: String
    private let isStatement: Bool

    /// Simple signing.
    ///
    /// - Parameters: see the properties.
    public init(payload: [UInt8], signature: String) {
        self.payload = payload
        self.signature = signature
        isStatement = false
    }

    /// A statement of a bundle.
    init(statement: [UInt8], signature: String) {
        payload = statement
        self.signature = signature
        isStatement = true
    }

    /// The bytes that the signature is over.
    var signed: [UInt8] { isStatement ? SignatureBundle.encoding(of: payload) : payload }

    /// Reads what was signed, once it is verified.
    func parsed() throws(VoltError) -> SigningPayload {
        isStatement ? try SigningPayload(statement: payload) : try SigningPayload(payload)
    }
}

/// Whether signatures are those that are wanted.
public struct SignatureCheck: Sendable {
    /// What name the payload must have.
    public enum Identity: Sendable, Equatable {
        /// Any: what it has is shown.
        case any
        /// That of this repository, with whatever tag.
        case repository(String)
    }

    /// What was found out of one signature.
    public enum Finding: Sendable {
        /// It is good.
        case good(SigningPayload, by: TrustedKey)
        /// It is of none of the keys.
        case unknownKey
        /// It is of one of the keys, and about something else, for this reason.
        case unfit(String)
        /// It is no signature, for this reason.
        case broken(String)
    }

    /// Any one of them is enough.
    public let keys: [TrustedKey]
    /// Of the manifest that the signature must be about.
    public let digest: OCIDigest
    /// What name it must have.
    public let identity: Identity
    /// What the payload must say besides.
    public let annotations: [String: String]

    /// - Parameters: see the properties.
    public init(
        keys: [TrustedKey], digest: OCIDigest, identity: Identity, annotations: [String: String] = [:]
    ) {
        self.keys = keys
        self.digest = digest
        self.identity = identity
        self.annotations = annotations
    }

    /// Judges a signature. Nothing of the payload is parsed before a key has verified its bytes.
    public func finding(of candidate: SignatureCandidate) -> Finding {
        guard candidate.signature.utf8.count <= SignatureForm.longestSignature,
            let signature = Base64.decode(candidate.signature)
        else { return .broken("the signature is not Base64") }
        guard candidate.payload.count <= SigningPayload.longest else {
            return .broken("what was signed is longer than \(SigningPayload.longest) bytes")
        }
        let signed = candidate.signed
        guard let key = keys.first(where: { $0.key.verifiesASN1(signature, of: signed) }) else {
            return .unknownKey
        }
        let payload: SigningPayload
        do throws(VoltError) { payload = try candidate.parsed() } catch {
            return .unfit(error.message)
        }
        guard payload.digest == digest else {
            return .unfit("the signature of key '\(key.name)' is about '\(payload.digest)'")
        }
        if case .repository(let wanted) = identity, !Self.names(payload.identity, wanted) {
            guard !payload.identity.isEmpty else {
                return .unfit(
                    "the signature of key '\(key.name)' is in a bundle, which names no repository: only 'identity: any' takes it"
                )
            }
            return .unfit(
                "the signature of key '\(key.name)' is for '\(payload.identity.prefix(300))', and not for '\(wanted)'"
            )
        }
        for (name, value) in annotations.sorted(by: { $0.key < $1.key })
        where payload.annotations[name] != value {
            return .unfit(
                "the signature of key '\(key.name)' does not say '\(name)=\(value)'")
        }
        return .good(payload, by: key)
    }

    /// Whether a reference is of a repository, whatever its tag.
    public static func names(_ reference: String, _ repository: String) -> Bool {
        guard let named = try? OCIReference(reference), let wanted = try? OCIReference(repository) else {
            return false
        }
        return named.host == wanted.host && named.repository == wanted.repository
    }
}
