internal import Glibc
internal import VoltCore
internal import VoltOCI
internal import VoltRegistry
internal import VoltServer
internal import VoltStore
internal import VoltSystem

/// What is asked for of the repositories of other registries.
extension RegistryService {
    /// Does something on a thread that may wait for another registry.
    func fetching(_ body: @escaping @Sendable () throws -> HTTPResponse) -> HTTPOpening {
        .work { reply in self.fetchers.run { reply(self.answer(body)) } }
    }

    // MARK: Manifests

    func manifest(
        _ repository: Upstreams.Repository, _ reference: ManifestReference, _ request: HTTPRequest
    ) throws -> HTTPResponse {
        switch reference {
        case .digest(let digest):
            guard let kept = try local.manifest(reference, in: repository.name) else {
                return response(try fetch(digest, tag: nil, repository), request)
            }
            return response(use(kept, .kept, repository), request)
        case .tag(let tag): return try manifest(repository, tag, request)
        }
    }

    private func manifest(_ repository: Upstreams.Repository, _ tag: OCITagName, _ request: HTTPRequest)
        throws
        -> HTTPResponse
    {
        let (upstream, name) = (repository.upstream, repository.name)
        let what = "\(name):\(tag)"
        let kept = try local.manifest(.tag(tag), in: name)
        if let kept, upstream.isFresh(what, settings.upstreamFresh) {
            return response(use(kept, .kept, repository), request)
        }
        let digest: OCIDigest?
        do throws(VoltError) {
            digest = try upstream.ask { client throws(VoltError) in
                try client.resolve(tag.description, in: repository.remote)
            }
        } catch {
            // What was kept is better than nothing while the other registry has a bad day, and only then.
            guard error.code == .tryAgain, let kept else { throw failed(error, repository) }
            report("debug: \(error.message): '\(what)' is what was kept")
            var response = response(use(kept, .stale, repository), request)
            // Section "Warnings".
            let text = "\(upstream.rule.host) cannot be reached: this is what was kept of it"
            response.headers.append(("Warning", "299 - \"\(text)\""))
            return response
        }
        guard let digest else {
            if kept != nil { _ = try local.removeTag(tag, in: name) }
            throw missing(repository, tag.description)
        }
        upstream.note(what)
        if let kept, kept.digest == digest { return response(use(kept, .kept, repository), request) }
        if let other = try local.manifest(.digest(digest), in: name) {
            try local.setTag(tag, to: digest, in: name)
            return response(use(other, .kept, repository), request)
        }
        return response(try fetch(digest, tag: tag, repository), request)
    }

    private func use(
        _ manifest: StoredManifest, _ outcome: Upstream.Outcome, _ repository: Upstreams.Repository
    )
        -> StoredManifest
    {
        local.use(manifest.digest, in: repository.name)
        repository.upstream.count(outcome)
        return manifest
    }

    private func fetch(_ digest: OCIDigest, tag: OCITagName?, _ repository: Upstreams.Repository) throws
        -> StoredManifest
    {
        let (upstream, name) = (repository.upstream, repository.name)
        let fetched: FetchedManifest
        do throws(VoltError) {
            fetched = try upstream.ask { client throws(VoltError) in
                try client.manifest(digest.description, in: repository.remote)
            }
        } catch {
            if error.code == .notFound { throw missing(repository, digest.description) }
            throw failed(error, repository)
        }
        upstream.count(.fetched)
        try local.mark(name, as: upstream.rule.host)
        _ = try local.put(
            fetched.bytes, fetched.document, mediaType: fetched.mediaType, digest: fetched.digest,
            tags: tag.map { [$0] } ?? [], in: name, needsBlobs: false)
        return StoredManifest(
            digest: fetched.digest, mediaType: fetched.mediaType, bytes: fetched.bytes)
    }

    private func missing(_ repository: Upstreams.Repository, _ reference: String) -> RegistryError {
        repository.upstream.count(.missing)
        return .manifestUnknown(reference)
    }

    /// The answer when the other registry does not do what it should; the log has the reason.
    private func failed(_ error: VoltError, _ repository: Upstreams.Repository) -> RegistryError {
        repository.upstream.count(.failed)
        report("error: \(error.message)")
        return refusal(error, repository)
    }

    private func refusal(_ error: VoltError, _ repository: Upstreams.Repository) -> RegistryError {
        let host = repository.upstream.rule.host
        return switch error.code {
        case .tryAgain:
            RegistryError(status: 503, code: "UNKNOWN", message: "'\(host)' cannot be reached now: try again")
        case .refused:
            RegistryError(
                status: 502, code: "DENIED",
                message:
                    "'\(host)' does not give this to the registry, or not as it should be; its log says why")
        default:
            RegistryError(
                status: 502, code: "UNKNOWN", message: "'\(host)' failed; the log of the registry says why")
        }
    }

    // MARK: Lists

    /// The tags that the other registry has, or the ones kept when it cannot be reached.
    func tags(_ repository: Upstreams.Repository) throws -> [String] {
        do throws(VoltError) {
            return try repository.upstream.list("\(repository.name)", settings.upstreamFresh) {
                () throws(VoltError) in
                try repository.upstream.ask { client throws(VoltError) in
                    try client.tags(of: repository.remote).sorted()
                }
            }
        } catch {
            if error.code == .notFound { throw RegistryError.nameUnknown(repository.name) }
            guard error.code == .tryAgain, local.exists(repository.name) else {
                throw failed(error, repository)
            }
            repository.upstream.count(.stale)
            return try local.tags(in: repository.name).map(\.description)
        }
    }

    /// What is about a manifest there, and here when it cannot be reached.
    func referrers(
        _ repository: Upstreams.Repository, _ subject: OCIDigest, type: String?, after last: String?
    ) throws -> ReferrersPage {
        do throws(VoltError) {
            let found = try repository.upstream.ask { client throws(VoltError) in
                try client.referrers(to: subject, type: type, in: repository.remote)
            }
            var page = ReferrersPage()
            for descriptor in found.sorted(by: { $0.digest < $1.digest }) where descriptor.digest > last ?? ""
            {
                let texts = descriptor.annotations?.reduce(0) {
                    $0 + $1.key.utf8.count + $1.value.utf8.count + 8
                }
                guard page.add(descriptor, size: 400 + (texts ?? 0)) else { break }
            }
            return page
        } catch {
            guard error.code == .tryAgain else { throw failed(error, repository) }
            repository.upstream.count(.stale)
            return try local.referrers(to: subject, type: type, after: last, in: repository.name)
        }
    }

    // MARK: Blobs

    /// Answers with a blob that is not here: it is sent while it comes.
    func blob(_ repository: Upstreams.Repository, _ digest: OCIDigest, _ request: HTTPRequest) -> HTTPOpening
    {
        if request.method == "HEAD" {
            return fetching {
                var response = HTTPResponse(200, headers: Self.headers(digest))
                response.length = try self.size(digest, repository)
                return response
            }
        }
        let (fetch, isNew) = upstreams.fetches.fetch(digest, in: repository.name)
        if isNew {
            let isTaken = repository.upstream.fetch {
                self.fetchers.run {
                    self.run(fetch, digest, repository)
                    repository.upstream.ended()
                }
            }
            if !isTaken {
                fetch.fail(
                    VoltError(.tryAgain, "too many blobs of '\(repository.upstream.rule.host)' are asked for")
                )
                upstreams.fetches.remove(digest, in: repository.name)
            }
        }
        // A part could be whole before the blob is verified.
        let isPart = request["range"] != nil
        return .work { reply in
            fetch.whenBegun { begun in
                reply(
                    self.answer {
                        switch begun {
                        case .success(let begun):
                            return self.response(
                                HTTPFile(
                                    descriptor: begun.descriptor, offset: 0, count: begun.size,
                                    growth: isPart ? begun.verified : begun.growth), digest, request)
                        case .failure(let error):
                            if error.code == .notFound { throw RegistryError.blobUnknown(digest) }
                            throw self.refusal(error, repository)
                        }
                    })
            }
        }
    }

    private func size(_ digest: OCIDigest, _ repository: Upstreams.Repository) throws -> UInt64 {
        let size: UInt64?
        do throws(VoltError) {
            size = try repository.upstream.ask { client throws(VoltError) in
                let size = try client.size(of: digest, in: repository.remote)
                if let size, let limit = settings.largestBlob, size > limit {
                    throw VoltError(
                        .refused, "blob '\(digest)' has \(size) bytes, and a blob has at most \(limit) here")
                }
                return size
            }
        } catch { throw failed(error, repository) }
        guard let size else {
            repository.upstream.count(.missing)
            throw RegistryError.blobUnknown(digest)
        }
        return size
    }

    /// Bytes a second; what comes more slowly is given up, since it keeps others from their turn.
    private static let slowest: UInt64 = 1024

    /// Fetches a blob into the store.
    private func run(_ fetch: BlobFetch, _ digest: OCIDigest, _ repository: Upstreams.Repository) {
        let name = repository.name
        do {
            // It may have come since it was looked for.
            if let sha256 = local.blob(digest, in: name), let opened = try local.open(sha256, in: name) {
                fetch.begin(opened.descriptor, size: opened.size)
                fetch.end(opened.size)
            } else {
                // Nothing is made for what is not there.
                let size = try size(digest, repository)
                try local.mark(name, as: repository.upstream.rule.host)
                let lease = try local.beginUpload(digest.algorithm, in: name)
                do {
                    try fill(lease.upload, size, fetch, digest, repository)
                } catch {
                    lease.remove()
                    throw error
                }
                lease.end()
                repository.upstream.count(.fetched)
            }
        } catch let error as RegistryError {
            // It was told already.
            let code: ExitCode =
                switch error.status {
                case 404: .notFound
                case 503: .tryAgain
                default: .refused
                }
            fetch.fail(VoltError(code, "'\(repository.upstream.rule.host)' does not give blob '\(digest)'"))
        } catch {
            // Clients that have a part of it cannot be told the reason.
            let reason =
                error as? VoltError ?? VoltError(.failed, "blob '\(digest)' could not be kept: \(error)")
            _ = failed(reason, repository)
            fetch.fail(reason)
        }
        upstreams.fetches.remove(digest, in: name)
    }

    private func fill(
        _ upload: Upload, _ size: UInt64, _ fetch: BlobFetch, _ digest: OCIDigest,
        _ repository: Upstreams.Repository
    ) throws {
        let name = repository.name
        let start = ContinuousClock.now
        try repository.upstream.ask { client throws(VoltError) in
            // Of nothing there is no last byte to hold back.
            guard size > 0 || digest == OCIDigest.of([], digest.algorithm) else {
                throw VoltError(
                    .refused, "'\(repository.upstream.rule.host)' says that blob '\(digest)' has no bytes")
            }
            fetch.begin(try upload.duplicate(), size: size)
            try client.blob(digest, size: size, in: repository.remote) { part throws(VoltError) in
                try upload.append(part)
                // Nobody has a whole blob before it was verified.
                fetch.reach(min(upload.count, max(size, 1) - 1))
                let seconds = UInt64((ContinuousClock.now - start).components.seconds)
                if seconds > 60, upload.count / seconds < Self.slowest {
                    throw VoltError(
                        .failed,
                        "'\(repository.upstream.rule.host)' sends less than \(Self.slowest) bytes a second")
                }
            }
        }
        guard let sha256 = try upload.finish(digest.algorithm).sha256.sha256 else {
            throw RegistryError.failed
        }
        try upload.sync()
        try adding(OCIDigest(sha256), size, to: name) {
            try local.takeIn(upload.path, as: sha256, alias: digest, in: name)
        }
        fetch.end(size)
    }
}
