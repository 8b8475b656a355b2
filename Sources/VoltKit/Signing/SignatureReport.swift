public import VoltCore
public import VoltOCI

/// What all signatures of an image came to.
public struct SignatureReport: Sendable {
    /// A signature that is good.
    public struct Good: Sendable {
        /// Who signed.
        public let key: TrustedKey
        /// What was signed.
        public let payload: SigningPayload
    }

    /// The digest that was asked for.
    public let digest: OCIDigest
    /// Those that are good, each once.
    public private(set) var good: [Good] = []
    /// Signatures of keys that were not given.
    public private(set) var unknown = 0
    /// Why others are not good, each reason once.
    public private(set) var reasons: [String] = []

    /// A report without any signature.
    public init(digest: OCIDigest) { self.digest = digest }

    /// Adds what was found of one.
    public mutating func add(_ finding: SignatureCheck.Finding) {
        switch finding {
        case .good(let payload, let key):
            let isKnown = good.contains {
                $0.key.fingerprint == key.fingerprint && $0.payload == payload
            }
            if !isKnown { good.append(Good(key: key, payload: payload)) }
        case .unknownKey: unknown += 1
        case .unfit(let reason), .broken(let reason): note(reason)
        }
    }

    /// Adds a reason why something is not good.
    public mutating func note(_ reason: String) {
        // It may have words of the registry, or of whoever signed.
        let reason = PrintableText.line(reason, limit: 500)
        if reasons.count < 10, !reasons.contains(reason) { reasons.append(reason) }
    }

    /// What was found instead of a good signature, in one sentence.
    public var found: String {
        var parts: [String] = []
        if unknown > 0 {
            parts.append(
                unknown == 1
                    ? "its signature is of another key" : "its \(unknown) signatures are of other keys"
            )
        }
        parts += reasons
        return parts.isEmpty ? "it has no signature" : parts.joined(separator: "; ")
    }

    /// The error when nothing is good.
    ///
    /// - Parameter name: of the image, for people.
    public func require(_ name: String, hint: String) throws(VoltError) {
        guard good.isEmpty else { return }
        throw VoltError(.refused, "'\(name)' is not signed as wanted: \(found)", hint: hint)
    }
}
