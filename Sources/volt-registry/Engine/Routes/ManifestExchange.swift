internal import Synchronization
internal import VoltCore
internal import VoltOCI
internal import VoltServer

/// Bytes of all manifests that are on their way in.
final class BodyBudget: Sendable {
    private struct State {
        var left: Int
        var taken: [String: Int] = [:]
    }

    private let state: Mutex<State>
    private let share: Int

    init(limit: Int) {
        state = Mutex(State(left: limit))
        // So much of it one address may take.
        share = limit / 4
    }

    func take(_ count: Int, for address: String) -> Bool {
        state.withLock { state in
            let taken = state.taken[address, default: 0]
            guard state.left >= count, taken + count <= share else { return false }
            state.left -= count
            state.taken[address] = taken + count
            return true
        }
    }

    func give(_ count: Int, for address: String) {
        state.withLock { state in
            state.left += count
            let taken = state.taken[address, default: count] - count
            state.taken[address] = taken == 0 ? nil : taken
        }
    }
}

/// `PUT /v2/NAME/manifests/REFERENCE`.
final class ManifestExchange: HTTPExchange {
    private let service: RegistryService
    private let name: OCIRepositoryName
    private let reference: ManifestReference
    private let tags: [OCITagName]
    private let mediaType: String?
    private let address: String
    private var bytes: [UInt8] = []

    /// More tags in one request are refused.
    private static let tagLimit = 100

    init(
        _ service: RegistryService, _ request: HTTPRequest, _ name: OCIRepositoryName,
        _ reference: ManifestReference, _ query: Query
    ) throws {
        self.service = service
        self.name = name
        self.reference = reference
        address = request.address
        var tags: [OCITagName] = []
        if case .tag(let tag) = reference { tags.append(tag) }
        for text in query.all("tag") {
            guard let tag = OCITagName(parsing: text) else { throw RegistryError.tagInvalid(text) }
            if !tags.contains(tag) { tags.append(tag) }
        }
        guard tags.count <= Self.tagLimit else {
            throw RegistryError(
                status: 414, code: "UNSUPPORTED", message: "a request gives at most \(Self.tagLimit) tags")
        }
        self.tags = tags
        let type = request["content-type"]?.prefix { $0 != ";" }.trimmed
        if let type, !Self.isMediaType(type) {
            throw RegistryError.manifestInvalid("'\(type.prefix(100))' is no media type")
        }
        mediaType = type
        if let length = request["content-length"].flatMap({ UInt64($0) }),
            length > UInt64(OCIDocument.longest)
        {
            throw RegistryError.manifestLarge
        }
    }

    /// It is sent back in a field of the answers: nothing but what RFC 6838, section 4.2, allows.
    private static func isMediaType(_ text: String) -> Bool {
        let parts = text.split(separator: "/", omittingEmptySubsequences: false)
        return parts.count == 2 && text.utf8.count <= 255
            && parts.allSatisfy { part in
                !part.isEmpty
                    && part.utf8.allSatisfy { byte in
                        (48...57).contains(byte) || (65...90).contains(byte) || (97...122).contains(byte)
                            || "!#$&-^_.+".utf8.contains(byte)
                    }
            }
    }

    func receive(_ part: UnsafeRawBufferPointer) -> HTTPResponse? {
        guard bytes.count + part.count <= OCIDocument.longest else {
            return RegistryError.manifestLarge.response()
        }
        guard service.bodies.take(part.count, for: address) else {
            return RegistryError(
                status: 503, code: "TOOMANYREQUESTS", message: "too many manifests at a time: try again"
            ).response([("Retry-After", "1")])
        }
        bytes += part
        return nil
    }

    func cancel() { giveBack() }

    private func giveBack() {
        service.bodies.give(bytes.count, for: address)
        bytes = []
    }

    func finish(_ reply: @escaping @Sendable (HTTPResponse) -> Void) {
        let (bytes, address) = (bytes, address)
        self.bytes = []
        let (service, name, reference, tags, type) = (service, name, reference, tags, mediaType)
        service.run(reply) {
            defer { service.bodies.give(bytes.count, for: address) }
            return try Self.put(bytes, type, service, name, reference, tags)
        }
    }

    private static func put(
        _ bytes: [UInt8], _ contentType: String?, _ service: RegistryService, _ name: OCIRepositoryName,
        _ reference: ManifestReference, _ tags: [OCITagName]
    ) throws -> HTTPResponse {
        let document: OCIDocument
        do throws(VoltError) { document = try OCIDocument(checking: bytes, type: contentType) } catch {
            throw RegistryError.manifestInvalid(error.message)
        }
        if let contentType, let own = document.mediaType, contentType != own {
            throw RegistryError.manifestInvalid(
                "the Content-Type is '\(contentType)', and the manifest says that it is '\(own.prefix(255))'")
        }
        let type =
            contentType ?? document.mediaType
            ?? (document.config == nil && document.layers.isEmpty
                ? OCIMediaType.index : OCIMediaType.manifest)
        guard isMediaType(type) else {
            throw RegistryError.manifestInvalid("the media type of the manifest is none")
        }
        var digest = OCIDigest.of(bytes)
        if case .digest(let wanted) = reference {
            if wanted.algorithm != digest.algorithm { digest = OCIDigest.of(bytes, wanted.algorithm) }
            guard wanted == digest else { throw RegistryError.digestMismatch(wanted, is: digest) }
        }
        let subject = try service.storage.put(
            bytes, document, mediaType: type, digest: digest, tags: tags, in: name, needsBlobs: true)
        var headers = [
            ("Location", "/v2/\(name)/manifests/\(digest)"), ("Docker-Content-Digest", digest.description),
        ]
        if let subject { headers.append(("OCI-Subject", subject.description)) }
        for tag in tags { headers.append(("OCI-Tag", tag.description)) }
        return HTTPResponse(201, headers: headers)
    }
}

extension Substring {
    fileprivate var trimmed: String {
        var text = self
        while text.first == " " { text.removeFirst() }
        while text.last == " " { text.removeLast() }
        return String(text)
    }
}
