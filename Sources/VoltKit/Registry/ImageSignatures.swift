public import VoltCore
public import VoltCrypto
internal import VoltOCI
public import VoltSigning

/// The signatures of images in a place: as referrers, and below the tag where cosign, skopeo and podman look.
public struct ImageSignatures {
    /// Manifests and signatures that are looked at; whoever may push could put any number there.
    public static let most = 100

    private let place: any ContentPlace

    /// - Parameter place: where the image is.
    public init(_ place: any ContentPlace) { self.place = place }

    // MARK: Verify

    /// Judges the signatures of a digest.
    public func verify(_ check: SignatureCheck) throws(VoltError) -> SignatureReport {
        var report = SignatureReport(digest: check.digest)
        var seen: Set<OCIDescriptor> = []
        let tagged = try tolerant(&report) { () throws(VoltError) in try self.tagged(check.digest) }
        try judge((tagged ?? nil)?.document.layers ?? [], check, &seen, &report)
        let referrers =
            try tolerant(&report) { () throws(VoltError) in try place.referrers(to: check.digest) } ?? []
        let signatures = referrers.filter(Self.mayBeSignature)
        if signatures.count > Self.most {
            report.note("only the first \(Self.most) referrers were looked at")
        }
        for referrer in signatures.prefix(Self.most) {
            let manifest = try tolerant(&report) { () throws(VoltError) in
                try place.manifest(referrer.digest)
            }
            try judge(manifest?.document.layers ?? [], check, &seen, &report)
        }
        return report
    }

    private func judge(
        _ layers: [OCIDescriptor], _ check: SignatureCheck, _ seen: inout Set<OCIDescriptor>,
        _ report: inout SignatureReport
    ) throws(VoltError) {
        for layer in layers {
            let isBundle = layer.mediaType?.hasPrefix(SignatureBundle.type) ?? false
            let signature = layer.annotations?[SignatureForm.signatureKey]
            guard isBundle || (layer.mediaType == SignatureForm.payloadType && signature != nil) else {
                continue
            }
            let key = SignatureForm.descriptor(layer.digest, layer.size, signature: signature ?? "")
            guard !seen.contains(key) else { continue }
            guard seen.count < Self.most else {
                return report.note("only the first \(Self.most) signatures were looked at")
            }
            seen.insert(key)
            let candidate = try tolerant(&report) { () throws(VoltError) in
                let bytes = try place.bytes(of: layer, limit: SigningPayload.longest)
                return isBundle
                    ? try SignatureBundle.candidate(bytes)
                    : SignatureCandidate(payload: bytes, signature: signature ?? "")
            }
            if let candidate { report.add(check.finding(of: candidate)) }
        }
    }

    /// Whether a referrer is one of signatures; what it says of itself only saves a look.
    private static func mayBeSignature(_ referrer: OCIDescriptor) -> Bool {
        let type = referrer.artifactType ?? ""
        let predicate = referrer.annotations?[SignatureBundle.predicateKey] ?? SignatureBundle.predicateType
        return type == SignatureForm.artifactType
            || (type.hasPrefix(SignatureBundle.type) && predicate == SignatureBundle.predicateType)
    }

    /// What is broken does not hide what is good; what may pass when tried again is no answer.
    private func tolerant<Value>(
        _ report: inout SignatureReport, _ body: () throws(VoltError) -> Value
    ) throws(VoltError) -> Value? {
        do throws(VoltError) { return try body() } catch {
            if error.code == .tryAgain { throw error }
            report.note(error.message)
            return nil
        }
    }

    /// The manifest below the tag, or nil.
    private func tagged(_ digest: OCIDigest) throws(VoltError) -> FetchedManifest? {
        guard let tag = try? SignatureForm.tag(of: digest).description, try place.resolve(tag) != nil else {
            return nil
        }
        let manifest = try place.manifest(tag)
        guard OCIMediaType.manifests.contains(manifest.mediaType) else {
            throw VoltError(
                .refused, "tag '\(tag)' has no signatures, but '\(manifest.mediaType.prefix(100))'")
        }
        return manifest
    }

    // MARK: Sign

    /// Signs a manifest, unless the key has signed the same already.
    ///
    /// - Parameters:
    ///   - subject: what is signed.
    ///   - payload: what is said of it.
    /// - Returns: whether anything was added.
    public func sign(_ subject: FetchedManifest, _ payload: SigningPayload, with key: PrivateKey)
        throws(VoltError) -> Bool
    {
        let bytes = try payload.encoded()
        var about = subject.descriptor
        about.artifactType = nil
        let own = Own(bytes: bytes, digest: .of(bytes), key: key.publicKey)
        var tagged = try tagged(subject.digest).map { $0.document.layers } ?? []
        let referring = try referring(subject.digest, own)
        let isTagged = tagged.contains(where: own.isSigned)
        if referring != nil, isTagged { return false }
        // One that was put to one of the places only, when signing was interrupted, is put to the other as well.
        let layer =
            referring ?? tagged.first(where: own.isSigned)
            ?? SignatureForm.layer(payload: bytes, signature: Base64.encode(key.signASN1(bytes)))
        _ = try place.write(bytes)
        if referring == nil { try put([layer], subject: about, tag: nil) }
        if !isTagged {
            tagged.append(layer)
            try put(tagged, subject: nil, tag: try SignatureForm.tag(of: subject.digest))
        }
        return true
    }

    private struct Own {
        let bytes: [UInt8]
        let digest: OCIDigest
        let key: PublicKey

        /// Whether a layer is the same payload signed by the same key; signatures of ECDSA differ each time.
        func isSigned(_ layer: OCIDescriptor) -> Bool {
            guard layer.digest == digest.description, layer.mediaType == SignatureForm.payloadType,
                let text = layer.annotations?[SignatureForm.signatureKey],
                text.utf8.count <= SignatureForm.longestSignature, let signature = Base64.decode(text)
            else { return false }
            return key.verifiesASN1(signature, of: bytes)
        }
    }

    private func referring(_ digest: OCIDigest, _ own: Own) throws(VoltError) -> OCIDescriptor? {
        for referrer in try place.referrers(to: digest).prefix(Self.most)
        where referrer.artifactType == SignatureForm.artifactType {
            guard let manifest = try? place.manifest(referrer.digest) else { continue }
            if let layer = manifest.document.layers.first(where: own.isSigned) { return layer }
        }
        return nil
    }

    private func put(_ layers: [OCIDescriptor], subject: OCIDescriptor?, tag: OCITagName?) throws(VoltError) {
        let configuration = try SignatureForm.configuration(of: layers)
        _ = try place.write(configuration)
        let bytes = try SignatureForm.manifest(
            layers: layers, configuration: configuration, subject: subject)
        let manifest = try FetchedManifest(
            digest: .of(bytes), mediaType: OCIMediaType.manifest, bytes: bytes)
        try place.put(manifest, tag: tag)
    }
}
