internal import ContainerTransfer
internal import FoundationEssentials
internal import VoltCore
internal import VoltCrypto
internal import VoltOCI
internal import VoltSystem

/// The manifest and configuration of an image, byte by byte as a registry had them.
struct ImageDocuments {
    let digest: Digest
    let manifest: [UInt8]
    let config: [UInt8]
    let descriptors: OCIManifest
}

extension ImageStore {
    private func documentPath(_ digest: Digest) -> String { "\(root)/documents/\(digest.hex)" }

    /// Keeps what a name was when it was pulled, after its documents.
    func keep(_ record: PulledImage, of name: String, documents: [[UInt8]]) throws(VoltError) {
        try Files.makeDirectory("\(root)/documents")
        for bytes in documents {
            let path = documentPath(SHA256Hasher.digest(of: bytes))
            if !Files.exists(path) { try Files.replace(path, with: bytes) }
        }
        try self.record(record, as: name)
    }

    /// The documents of an image that was pulled, by this name if it was; nil when it was not.
    func documents(of image: Digest, named name: String) throws(VoltError) -> ImageDocuments? {
        let records = pulled().filter { $0.value.image == image && $0.value.document != nil }
        let record = records[name] ?? records.min { $0.key < $1.key }?.value
        guard let digest = record?.document else { return nil }
        let manifest = try document(digest)
        guard let descriptors = try? JSONDecoder().decode(OCIManifest.self, from: Data(manifest)) else {
            throw VoltError(
                .failed, "the manifest of image '\(image.short)' is damaged", hint: "pull it again")
        }
        return ImageDocuments(
            digest: digest, manifest: manifest, config: try document(try Digest(descriptors.config.digest)),
            descriptors: descriptors)
    }

    private func document(_ digest: Digest) throws(VoltError) -> [UInt8] {
        let bytes = try Files.read(documentPath(digest), limit: OCIDocument.longest)
        guard SHA256Hasher.digest(of: bytes) == digest else {
            throw VoltError(
                .failed, "'\(documentPath(digest))' has other bytes than its name says",
                hint: "pull the image again")
        }
        return bytes
    }

    /// Forgets what was pulled for images that are gone; the caller holds both locks.
    func forgetPulled() throws(VoltError) {
        guard Files.exists(pulledPath) else { return }
        let before = pulled()
        let there = Set(try manifestDigests())
        let after = before.filter { there.contains($0.value.image) }
        if after.count != before.count { try JSONFile.write(after, pulledPath) }
        var needed: Set<String> = []
        for digest in after.values.compactMap(\.document) {
            needed.insert(digest.hex)
            guard let bytes = try? document(digest), let config = try? OCIDocument(bytes).config else {
                continue
            }
            if let config = try? Digest(config.digest) { needed.insert(config.hex) }
        }
        for name in try Files.list("\(root)/documents") where !needed.contains(name) {
            try Files.remove("\(root)/documents/\(name)")
        }
    }
}
