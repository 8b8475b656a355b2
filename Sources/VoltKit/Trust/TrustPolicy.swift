public import VoltCore
public import VoltOCI
public import VoltSigning

/// Which images this host takes: what a trust policy file says. `docs/signatures.md` has the file.
public struct TrustPolicy: Sendable {
    /// What a rule wants of an image.
    public struct Requirement: Sendable {
        /// Where the rule stands, as `file:line`.
        public let rule: String
        /// Any one of them must have signed it.
        public let keys: [TrustedKey]
        /// What name must have been signed.
        public let identity: SignatureCheck.Identity

        /// The check of a digest.
        public func check(_ digest: OCIDigest) -> SignatureCheck {
            SignatureCheck(keys: keys, digest: digest, identity: identity)
        }

        /// Whether a signature that was verified before, by the key of this fingerprint, is enough today.
        public func isMet(byKey fingerprint: Digest, identity signed: String) -> Bool {
            guard keys.contains(where: { $0.fingerprint == fingerprint }) else { return false }
            return switch identity {
            case .any: true
            case .repository(let wanted): SignatureCheck.names(signed, wanted)
            }
        }

        /// The error for an image that does not have what is wanted.
        ///
        /// - Parameter found: what it has instead.
        public func refusal(of image: String, found: String) -> VoltError {
            VoltError(
                .refused, "image '\(image)' is refused by the rule at '\(rule)': \(found)",
                hint:
                    "have it signed for \(Self.list(keys)) with 'volt registry sign', or change the rule")
        }

        private static func list(_ keys: [TrustedKey]) -> String {
            let names = keys.prefix(3).map { "'\($0.name)'" }.joined(separator: " or ")
            return keys.count > 3 ? "\(names) or \(keys.count - 3) others" : names
        }
    }

    /// What is done with an image.
    public enum Decision: Sendable {
        /// It is taken as it is.
        case accept
        /// It is not taken; the rule, as `file:line`.
        case refuse(rule: String)
        /// It is taken when it is signed.
        case signed(Requirement)
    }

    enum Action: Sendable {
        case accept
        case refuse
        case signed(by: [TrustedKey], for: SignatureCheck.Identity?)
    }

    struct Rule: Sendable {
        let pattern: NamePattern
        let action: Action
        let place: String
    }

    var rules: [Rule] = []
    var otherwise: Action = .refuse
    var otherwisePlace = ""

    /// What it says, in short.
    public var summary: String {
        let others = if case .accept = otherwise { "accepted" } else { "refused" }
        return "\(rules.count) rules, and other images are \(others)"
    }

    /// What is done with an image of this name; the first rule whose pattern stands for it decides.
    public func decision(_ reference: OCIReference) -> Decision {
        let name = "\(reference.host)/\(reference.repository)"
        let rule = rules.first { $0.pattern.matches(name) }
        let place = rule?.place ?? otherwisePlace
        switch rule?.action ?? otherwise {
        case .accept: return .accept
        case .refuse: return .refuse(rule: place)
        case .signed(let keys, let identity):
            return .signed(Requirement(rule: place, keys: keys, identity: identity ?? .repository(name)))
        }
    }

    /// The error for an image that a rule refuses.
    public static func refusal(of image: String, rule: String) -> VoltError {
        VoltError(
            .refused, "image '\(image)' is refused by the rule at '\(rule)'",
            hint: "change the rule when the image is to be trusted")
    }
}
