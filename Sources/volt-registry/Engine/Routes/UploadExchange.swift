internal import VoltCore
internal import VoltOCI
internal import VoltServer

/// `PATCH` and `PUT` of an upload, and a `POST` that has the whole blob.
final class UploadExchange: HTTPExchange {
    private let service: RegistryService
    private let name: OCIRepositoryName
    private let lease: UploadLease
    private var upload: Upload { lease.upload }
    /// What the blob is to be, with the last request of an upload.
    private let digest: OCIDigest?
    /// Where the part has to end, when its request says so.
    private var end: UInt64?
    private let isNew: Bool
    private var isOver = false
    /// It cannot become a blob by going on.
    private var isTooLarge = false

    init(
        _ service: RegistryService, _ request: HTTPRequest, _ name: OCIRepositoryName, _ lease: UploadLease,
        _ digest: OCIDigest?
    ) throws {
        self.service = service
        self.name = name
        self.lease = lease
        self.digest = digest
        isNew = request.method == "POST"
        do { try check(request) } catch {
            cancel()
            throw error
        }
    }

    private func check(_ request: HTTPRequest) throws {
        let length = request["content-length"].flatMap { UInt64($0) }
        if let field = request["content-range"] {
            guard let range = ByteRange.chunk(field), range.lowerBound == upload.count else {
                throw outOfOrder
            }
            let count = range.upperBound - range.lowerBound + 1
            guard length == nil || length == count else {
                throw RegistryError(
                    status: 400, code: "SIZE_INVALID",
                    message: "the Content-Range has \(count) bytes and the Content-Length \(length ?? 0)")
            }
            end = upload.count + count
        }
        if let limit = service.settings.largestBlob, (length ?? 0) > limit - min(limit, upload.count) {
            throw large(limit)
        }
    }

    /// The part begins elsewhere than the one before ended.
    private var outOfOrder: HeadedError {
        HeadedError(
            error: RegistryError.uploadInvalid(
                "a part begins where the one before ended, which is at \(upload.count)", status: 416),
            headers: RegistryService.place(name, upload))
    }

    private func large(_ limit: UInt64) -> RegistryError {
        .sizeInvalid("a blob has at most \(limit) bytes here")
    }

    func receive(_ part: UnsafeRawBufferPointer) -> HTTPResponse? {
        if let limit = service.settings.largestBlob, upload.count + UInt64(part.count) > limit {
            isTooLarge = true
            return large(limit).response()
        }
        if let end, upload.count + UInt64(part.count) > end {
            return RegistryError(
                status: 400, code: "SIZE_INVALID", message: "the part is longer than its Content-Range"
            ).response()
        }
        if let quota = service.settings.quota, upload.count + UInt64(part.count) > quota {
            isTooLarge = true
            return RegistryError.denied("a repository may have \(quota) bytes here").response()
        }
        do { try upload.append(part) } catch { return service.failure(error) }
        return nil
    }

    /// What came so far is kept: the client asks where to go on.
    func cancel() {
        guard !isOver else { return }
        isOver = true
        if isNew || isTooLarge { lease.remove() } else { lease.giveBack() }
    }

    func finish(_ reply: @escaping @Sendable (HTTPResponse) -> Void) {
        guard !isOver else { return reply(RegistryError.uploadUnknown.response()) }
        let (service, name, lease) = (service, name, lease)
        if let end, upload.count < end {
            cancel()
            return reply(
                RegistryError(
                    status: 400, code: "SIZE_INVALID", message: "the part is shorter than its Content-Range"
                ).response())
        }
        guard let digest else {
            let headers = RegistryService.place(name, upload)
            cancel()
            return reply(HTTPResponse(202, headers: headers))
        }
        isOver = true
        service.run(reply) { try Self.complete(lease, digest, service, name) }
    }

    /// Checks the digest and makes the upload a blob of the repository.
    private static func complete(
        _ lease: UploadLease, _ digest: OCIDigest, _ service: RegistryService, _ name: OCIRepositoryName
    ) throws -> HTTPResponse {
        let storage = service.storage
        let upload = lease.upload
        // A client that tries again goes on with the file, and not with what is in memory.
        defer { lease.end() }
        let (sha256, actual) = try upload.finish(digest.algorithm)
        guard actual == digest else {
            // It cannot become right by going on.
            lease.remove()
            throw RegistryError.digestMismatch(digest, is: actual)
        }
        guard let name256 = sha256.sha256 else { throw RegistryError.failed }
        try upload.sync()
        do {
            try service.adding(sha256, upload.count, to: name) {
                try storage.takeIn(upload.path, as: name256, alias: digest, in: name)
            }
        } catch let error as RegistryError {
            // What has no room will not get any by waiting.
            lease.remove()
            throw error
        }
        return RegistryService.created(name, digest)
    }
}

/// An error whose answer has further fields.
struct HeadedError: Error {
    let error: RegistryError
    let headers: [(name: String, value: String)]
}
