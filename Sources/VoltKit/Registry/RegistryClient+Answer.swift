public import VoltCore
public import VoltOCI

/// Errors for answers that are not of the form they must have. They are a fault of the registry, and no wrong usage.
extension RegistryClient {
    /// For messages, such as `registry.example/team/web:1.4`.
    func subject(_ reference: String, _ name: OCIRepositoryName) -> String {
        "\(endpoint.host)/\(name)\(reference.contains(":") ? "@" : ":")\(PrintableText.line(reference, limit: 200))"
    }

    /// Reads what the registry answered.
    ///
    /// - Parameters:
    ///   - what: the subject of a message.
    ///   - type: what the registry calls it.
    /// - Throws: `VoltError` with code `failed` in the place of `usage`.
    func reading<Value>(
        _ what: String, type: String? = nil, _ body: () throws(VoltError) -> Value
    ) throws(VoltError) -> Value {
        do throws(VoltError) { return try body() } catch {
            guard error.code == .usage else { throw error }
            throw wrong(what, type: type, error.message)
        }
    }

    /// The error for an answer that cannot be used.
    func wrong(_ what: String, type: String? = nil, _ reason: String) -> VoltError {
        let type = type.map { " (it comes as '\(PrintableText.line($0, limit: 100))')" } ?? ""
        return VoltError(
            .failed, "the answer for '\(what)' cannot be used: \(reason)\(type)",
            hint:
                "is '\(endpoint.host)' a registry, reached without a proxy or login page in between? Then tell who runs it"
        )
    }

    /// Refuses what is neither a tag nor a digest: manifests name others, and what they say ends up in a path.
    func check(_ reference: String, in name: OCIRepositoryName) throws(VoltError) {
        guard OCIDigest(parsing: reference) == nil, OCITagName(parsing: reference) == nil else { return }
        throw wrong(
            "\(endpoint.host)/\(name)",
            "a manifest names '\(PrintableText.line(reference, limit: 200))', which is not a digest")
    }
}

extension OCIDescriptor {
    /// The digest, for what was read at a place.
    ///
    /// - Throws: `VoltError` with code `failed`, which names the place.
    public func digest(at place: any ContentPlace) throws(VoltError) -> OCIDigest {
        if let digest = OCIDigest(parsing: digest) { return digest }
        throw VoltError(
            .failed,
            "a manifest of '\(place.name)' names '\(PrintableText.line(digest, limit: 200))', which is not a digest",
            hint: "the manifest is broken: push it again from where it was built")
    }
}
