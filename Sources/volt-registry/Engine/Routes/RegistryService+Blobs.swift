internal import RegistryAccess
internal import VoltCore
internal import VoltOCI
internal import VoltServer
internal import VoltStore
internal import VoltSystem

extension RegistryService {
    func blob(_ name: OCIRepositoryName, _ digest: OCIDigest, _ request: HTTPRequest) throws -> HTTPResponse {
        guard let sha256 = try storage.blob(digest, in: name) else {
            throw try storage.exists(name)
                ? RegistryError.blobUnknown(digest) : RegistryError.nameUnknown(name)
        }
        if Self.matches(request, digest.description) {
            return HTTPResponse(304, headers: Self.headers(digest))
        }
        guard let (descriptor, size) = try storage.open(sha256, in: name) else {
            throw RegistryError.blobUnknown(digest)
        }
        return response(HTTPFile(descriptor: descriptor, offset: 0, count: size), digest, request)
    }

    static func headers(_ digest: OCIDigest) -> [(name: String, value: String)] {
        [
            ("Content-Type", "application/octet-stream"), ("Docker-Content-Digest", digest.description),
            ("ETag", "\"\(digest)\""), ("Accept-Ranges", "bytes"),
            // What a digest names never changes.
            ("Cache-Control", "max-age=31536000, immutable"),
        ]
    }

    /// Answers with a blob, or a part of it.
    func response(_ whole: HTTPFile, _ digest: OCIDigest, _ request: HTTPRequest) -> HTTPResponse {
        var headers = Self.headers(digest)
        let size = whole.count
        // Of GET alone (RFC 9110, section 14.2).
        var range = ByteRange(request.method == "GET" ? request["range"] : nil, of: size)
        if let condition = request["if-range"], condition != "\"\(digest)\"" { range = .all }
        var response = HTTPResponse(200, headers: headers)
        switch range {
        case .all:
            response.file = whole
        case .part(let part):
            headers.append(("Content-Range", "bytes \(part.lowerBound)-\(part.upperBound - 1)/\(size)"))
            response = HTTPResponse(206, headers: headers)
            response.file = whole.part(part)
        case .unsatisfiable:
            response = RegistryError(
                status: 416, code: "SIZE_INVALID", message: "the blob has \(size) bytes"
            ).response([("Content-Range", "bytes */\(size)")])
        }
        return response
    }

    func deleteBlob(_ name: OCIRepositoryName, _ digest: OCIDigest) throws -> HTTPResponse {
        let isGone = try storage.alone(name) { try storage.removeBlob(digest, in: name) }
        guard isGone else { throw RegistryError.blobUnknown(digest) }
        return HTTPResponse(202, headers: [])
    }

    // MARK: Uploads

    func beginUpload(
        _ request: HTTPRequest, _ name: OCIRepositoryName, _ query: Query, _ grant: AccessGrant
    ) throws -> HTTPOpening {
        var algorithm = OCIDigest.Algorithm.sha256
        if let text = query["digest-algorithm"] {
            guard let known = OCIDigest.Algorithm(rawValue: text) else {
                throw RegistryError.digestInvalid(text)
            }
            algorithm = known
        }
        if let text = query["digest"], query["mount"] == nil {
            guard let digest = OCIDigest(parsing: text) else { throw RegistryError.digestInvalid(text) }
            let lease = try local.beginUpload(digest.algorithm, in: name)
            return .exchange(try UploadExchange(self, request, name, lease, digest))
        }
        let (source, text) = (query["from"], query["mount"])
        return .work { [algorithm] reply in
            self.run(reply) {
                // What cannot be mounted is uploaded.
                if let source = source.flatMap({ OCIRepositoryName(parsing: $0) }),
                    grant.may(.pull, source),
                    let digest = text.flatMap({ OCIDigest(parsing: $0) }),
                    let sha256 = try self.storage.blob(digest, in: source),
                    try self.adding(
                        OCIDigest(sha256), try self.storage.size(of: sha256, in: source), to: name,
                        {
                            try self.storage.mount(digest, from: source, to: name)
                        })
                {
                    return Self.created(name, digest)
                }
                let lease = try self.local.beginUpload(algorithm, in: name)
                defer { lease.giveBack() }
                return HTTPResponse(202, headers: Self.place(name, lease.upload))
            }
        }
    }

    /// Takes an upload to work on it.
    func take(_ name: OCIRepositoryName, _ id: String) throws -> UploadLease {
        switch try local.uploads.take(local.uploadPath(id, in: name), id: id) {
        case .lease(let lease): return lease
        case .unknown: throw RegistryError.uploadUnknown
        case .busy:
            throw RegistryError.uploadInvalid("another request is writing to this upload", status: 409)
        }
    }

    func status(_ name: OCIRepositoryName, _ id: String) throws -> HTTPResponse {
        let lease = try take(name, id)
        defer { lease.giveBack() }
        return HTTPResponse(204, headers: Self.place(name, lease.upload))
    }

    func cancel(_ name: OCIRepositoryName, _ id: String) throws -> HTTPResponse {
        try take(name, id).remove()
        return HTTPResponse(204, headers: [])
    }

    /// Where an upload goes on, and how much of it came.
    static func place(_ name: OCIRepositoryName, _ upload: Upload) -> [(name: String, value: String)] {
        [
            ("Location", "/v2/\(name)/blobs/uploads/\(upload.id)"),
            // Of nothing the same as of one byte: there is no other way to write it.
            ("Range", "0-\(max(upload.count, 1) - 1)"), ("Docker-Upload-UUID", upload.id),
        ]
    }

    static func created(_ name: OCIRepositoryName, _ digest: OCIDigest) -> HTTPResponse {
        HTTPResponse(
            201,
            headers: [
                ("Location", "/v2/\(name)/blobs/\(digest)"), ("Docker-Content-Digest", digest.description),
            ])
    }
}
