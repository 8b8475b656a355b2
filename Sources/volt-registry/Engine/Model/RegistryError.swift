internal import FoundationEssentials
internal import VoltOCI
internal import VoltServer

/// An error of the registry's own JSON (OCI Distribution Specification 1.1, section "Error Codes").
struct RegistryError: Error, Sendable {
    let status: Int
    let code: String
    let message: String
    var detail: [String: String] = [:]

    static func nameInvalid(_ name: String) -> RegistryError {
        RegistryError(
            status: 400, code: "NAME_INVALID",
            message:
                "the name of a repository has lower-case letters and digits, with . _ - between them and / between its parts",
            detail: ["name": String(name.prefix(300))])
    }
    static func nameUnknown(_ name: OCIRepositoryName) -> RegistryError {
        RegistryError(
            status: 404, code: "NAME_UNKNOWN", message: "the registry has no such repository",
            detail: ["name": name.description])
    }
    static func digestInvalid(_ digest: String) -> RegistryError {
        RegistryError(
            status: 400, code: "DIGEST_INVALID", message: "a digest is sha256: or sha512: and its hex digits",
            detail: ["digest": String(digest.prefix(300))])
    }
    static func digestMismatch(_ digest: OCIDigest, is actual: OCIDigest) -> RegistryError {
        RegistryError(
            status: 400, code: "DIGEST_INVALID", message: "the content has another digest than was given",
            detail: ["digest": digest.description, "content": actual.description])
    }
    static func blobUnknown(_ digest: OCIDigest) -> RegistryError {
        RegistryError(
            status: 404, code: "BLOB_UNKNOWN", message: "the repository has no such blob",
            detail: ["digest": digest.description])
    }
    static func manifestBlobUnknown(_ digest: OCIDigest) -> RegistryError {
        RegistryError(
            status: 404, code: "MANIFEST_BLOB_UNKNOWN",
            message: "the manifest names a blob that the repository does not have: push it first",
            detail: ["digest": digest.description])
    }
    static func manifestUnknown(_ reference: String) -> RegistryError {
        RegistryError(
            status: 404, code: "MANIFEST_UNKNOWN", message: "the repository has no such manifest",
            detail: ["reference": String(reference.prefix(300))])
    }
    static func manifestInvalid(_ reason: String) -> RegistryError {
        RegistryError(status: 400, code: "MANIFEST_INVALID", message: reason)
    }
    static let manifestLarge = RegistryError(
        status: 413, code: "MANIFEST_INVALID",
        message: "a manifest has at most \(OCIDocument.longest >> 20) MiB")
    static func tagInvalid(_ tag: String) -> RegistryError {
        RegistryError(
            status: 400, code: "MANIFEST_INVALID",
            message: "a reference is a digest, or a tag of at most 128 letters, digits, _ . and -",
            detail: ["reference": String(tag.prefix(300))])
    }
    static let uploadUnknown = RegistryError(
        status: 404, code: "BLOB_UPLOAD_UNKNOWN",
        message: "there is no such upload: it was finished, cancelled or has expired")
    static func uploadInvalid(_ reason: String, status: Int = 400) -> RegistryError {
        RegistryError(status: status, code: "BLOB_UPLOAD_INVALID", message: reason)
    }
    static func sizeInvalid(_ reason: String) -> RegistryError {
        RegistryError(status: 413, code: "SIZE_INVALID", message: reason)
    }
    static func unsupported(_ reason: String, status: Int = 405) -> RegistryError {
        RegistryError(status: status, code: "UNSUPPORTED", message: reason)
    }
    static func denied(_ reason: String) -> RegistryError {
        RegistryError(status: 403, code: "DENIED", message: reason)
    }
    static let unauthorized = RegistryError(
        status: 401, code: "UNAUTHORIZED",
        message: "this needs a user: log in, such as with 'volt registry login'")
    static func tooMany(_ seconds: Int) -> RegistryError {
        RegistryError(
            status: 429, code: "TOOMANYREQUESTS", message: "too many requests: try again in \(seconds) s")
    }
    static func notFound(_ path: String) -> RegistryError {
        RegistryError(status: 404, code: "UNSUPPORTED", message: "there is no such endpoint")
    }
    static let insufficientStorage = RegistryError(
        status: 507, code: "DENIED", message: "the disk of the registry is full")
    static let failed = RegistryError(
        status: 500, code: "UNKNOWN", message: "the registry failed; its log says why")

    func response(_ headers: [(name: String, value: String)] = []) -> HTTPResponse {
        Self.response([self], status: status, headers)
    }

    /// All of them in one answer.
    static func response(
        _ errors: [RegistryError], status: Int, _ headers: [(name: String, value: String)] = []
    ) -> HTTPResponse {
        struct Body: Encodable {
            struct Item: Encodable {
                let code: String
                let message: String
                let detail: [String: String]?
            }
            let errors: [Item]
        }
        let body = Body(
            errors: errors.map {
                .init(code: $0.code, message: $0.message, detail: $0.detail.isEmpty ? nil : $0.detail)
            })
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        let bytes = (try? encoder.encode(body)).map { Array($0) } ?? []
        return HTTPResponse(
            status, headers: [("Content-Type", "application/json")] + headers, body: bytes)
    }
}
