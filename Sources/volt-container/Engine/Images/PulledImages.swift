internal import VoltCore
internal import VoltTrust

/// What was pulled by a name.
struct PulledImage: Codable, Equatable {
    /// A signature that was verified when it was pulled.
    struct Signature: Codable, Equatable {
        /// Of the key.
        var fingerprint: Digest
        /// The name that was signed.
        var identity: String
    }

    /// The digest of the manifest, or of the index it was chosen from.
    var manifest: String
    /// What it became.
    var image: Digest
    /// Nil when none were asked for.
    var signatures: [Signature]?
    /// The manifest of that image alone, whose bytes are kept with those of its configuration; nil in records of versions
    /// that did not keep them.
    var document: Digest?

    /// The fingerprints of the keys.
    var signedBy: [Digest] { signatures?.map(\.fingerprint) ?? [] }

    /// The name of the record of what a name was before it was pulled anew.
    static func earlierName(_ stored: String, _ image: Digest) -> String { "\(stored)@\(image)" }

    /// Whether the registry has it by this digest.
    func isOf(_ digest: Digest) -> Bool { manifest == digest.description || document == digest }

    /// Whether what was verified then is what is wanted now.
    func meets(_ requirement: TrustPolicy.Requirement) -> Bool { Self.meets(requirement, signatures) }

    /// The same of signatures that were verified.
    static func meets(_ requirement: TrustPolicy.Requirement, _ signatures: [Signature]?) -> Bool {
        (signatures ?? []).contains { requirement.isMet(byKey: $0.fingerprint, identity: $0.identity) }
    }
}

extension ImageStore {
    var pulledPath: String { "\(root)/pulled.json" }

    /// What was pulled, by `name:tag`.
    func pulled() -> [String: PulledImage] {
        (try? JSONFile.read([String: PulledImage].self, pulledPath)) ?? [:]
    }

    /// Keeps what was pulled by a name.
    func record(_ pulled: PulledImage, as stored: String) throws(VoltError) {
        // Others pull at the same time.
        try locked { () throws(VoltError) in
            var all = self.pulled()
            guard all[stored] != pulled else { return }
            // What was verified of the image before is asked for when that is deployed again.
            if let before = all[stored], before.image != pulled.image {
                all[PulledImage.earlierName(stored, before.image)] = before
            }
            all[stored] = pulled
            try JSONFile.write(all, pulledPath)
        }
    }
}
