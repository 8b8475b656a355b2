internal import CVoltSystem
internal import Glibc
public import VoltCore
internal import VoltHTTP
public import VoltOCI
internal import VoltSystem

/// A manifest as a registry has it, byte by byte.
public struct FetchedManifest: Sendable {
    /// The digest of the bytes; the one that was asked for when it was asked for by digest.
    public let digest: OCIDigest
    /// What the registry says that it is.
    public let mediaType: String
    /// The bytes.
    public let bytes: [UInt8]
    /// What can be read of them.
    public let document: OCIDocument

    /// How others name it.
    public var descriptor: OCIDescriptor {
        OCIDescriptor(
            mediaType: mediaType, digest: digest.description, size: UInt64(bytes.count),
            artifactType: document.artifactType)
    }

    /// - Parameters: see the properties.
    /// - Throws: `VoltError`; code `usage` for bytes that are not a manifest, `refused` for a manifest that could be read as
    ///   two.
    public init(digest: OCIDigest, mediaType: String, bytes: [UInt8]) throws(VoltError) {
        try self.init(
            digest: digest, mediaType: mediaType, bytes: bytes,
            document: OCIDocument(checking: bytes, type: mediaType))
    }

    init(digest: OCIDigest, mediaType: String, bytes: [UInt8], document: OCIDocument) {
        self.digest = digest
        self.mediaType = mediaType
        self.bytes = bytes
        self.document = document
    }
}

extension RegistryClient {
    private static let accepts: [(name: String, value: String)] =
        (OCIMediaType.manifests + OCIMediaType.indexes).map { ("Accept", $0) } + [("Accept", "*/*")]

    // MARK: Manifests

    /// Fetches a manifest and verifies it.
    ///
    /// - Parameter reference: a tag or a digest.
    public func manifest(_ reference: String, in name: OCIRepositoryName) throws(VoltError) -> FetchedManifest
    {
        try check(reference, in: name)
        let what = subject(reference, name)
        let answer = try send(
            Call(
                method: "GET", path: "/v2/\(name)/manifests/\(reference)", scope: Self.pull(name),
                headers: Self.accepts))
        guard answer.isSuccess else { throw failure(answer, "pull '\(name):\(reference)'") }
        var digest = OCIDigest.of(answer.body)
        if let wanted = OCIDigest(parsing: reference) {
            if wanted.algorithm != digest.algorithm { digest = OCIDigest.of(answer.body, wanted.algorithm) }
            guard wanted == digest else {
                throw VoltError(
                    .refused, "'\(endpoint.host)' answers with another manifest than '\(what)'",
                    hint: "the registry or something on the way to it is not to be trusted")
            }
        }
        let said = answer["content-type"]?.prefix { $0 != ";" }.trimmingBlanks
        let document = try reading(what, type: said) { () throws(VoltError) in
            do throws(VoltError) { return try OCIDocument(checking: answer.body, type: said) } catch {
                guard error.code == .refused else { throw error }
                throw VoltError(
                    .refused, "'\(endpoint.host)' has a bad '\(name):\(reference)': \(error.message)",
                    hint: error.hint)
            }
        }
        let own = document.mediaType
        // What reads one of them would see another thing than what reads the other ("manifest.md", `mediaType`).
        if let own, let said, said.hasPrefix("application/vnd."), own != said {
            throw VoltError(
                .refused,
                "'\(endpoint.host)' calls manifest '\(what)' '\(said)', and it calls itself '\(own)'",
                hint: "push it again with the media type that it has")
        }
        if own == nil, said?.hasPrefix("application/vnd.") != true, !document.saysWhatItIs {
            throw wrong(what, type: said, "it is not a manifest")
        }
        let type =
            own ?? (said?.hasPrefix("application/vnd.") == true ? said : nil)
            ?? (document.manifests.isEmpty ? OCIMediaType.manifest : OCIMediaType.index)
        return FetchedManifest(digest: digest, mediaType: type, bytes: answer.body, document: document)
    }

    /// The digest that a tag or digest has, or nil when there is none.
    public func resolve(_ reference: String, in name: OCIRepositoryName) throws(VoltError) -> OCIDigest? {
        try check(reference, in: name)
        let answer = try send(
            Call(
                method: "HEAD", path: "/v2/\(name)/manifests/\(reference)", scope: Self.pull(name),
                headers: Self.accepts))
        if answer.status == 404 { return nil }
        guard answer.isSuccess else { throw failure(answer, "look for '\(name):\(reference)'") }
        if let digest = answer["docker-content-digest"].flatMap({ OCIDigest(parsing: $0) }) { return digest }
        // The field is not required.
        return try manifest(reference, in: name).digest
    }

    /// Pushes a manifest.
    ///
    /// - Parameter reference: a tag, or the digest of the bytes.
    /// - Returns: whether the registry keeps the list of what is about others itself.
    @discardableResult
    public func put(_ manifest: [UInt8], mediaType: String, as reference: String, in name: OCIRepositoryName)
        throws(VoltError) -> Bool
    {
        let answer = try send(
            Call(
                method: "PUT", path: "/v2/\(name)/manifests/\(reference)", scope: Self.push(name),
                headers: [("Content-Type", mediaType)], body: manifest))
        guard answer.isSuccess else { throw failure(answer, "push '\(name):\(reference)'") }
        let what = subject(reference, name)
        // A page that answers everything with 200 has kept nothing.
        let said = answer["docker-content-digest"].flatMap { OCIDigest(parsing: $0) }
        guard answer.status == 201 || said != nil || answer["location"] != nil else {
            throw wrong(what, type: answer["content-type"], "it does not say that the manifest was kept")
        }
        if let said, said != OCIDigest.of(manifest, said.algorithm) {
            throw VoltError(
                .refused,
                "'\(endpoint.host)' keeps another manifest as '\(what)' than the one that was pushed",
                hint: "the registry or something on the way to it is not to be trusted")
        }
        return answer["oci-subject"] != nil
    }

    /// Deletes a manifest, or with a tag only that where the registry knows how to.
    public func deleteManifest(_ reference: String, in name: OCIRepositoryName) throws(VoltError) {
        let answer = try send(
            Call(method: "DELETE", path: "/v2/\(name)/manifests/\(reference)", scope: Self.delete(name)))
        // Registries of the specification before 1.1 want a digest there.
        if OCIDigest(parsing: reference) == nil, answer.status == 400 || answer.status == 405 {
            throw VoltError(
                .failed, "'\(endpoint.host)' cannot take away a tag alone",
                hint: "'volt registry manifest delete' takes the manifest away with all of its tags")
        }
        guard answer.isSuccess else { throw failure(answer, "delete '\(name):\(reference)'") }
    }

    // MARK: Blobs

    /// Whether a repository has a blob.
    public func hasBlob(_ digest: OCIDigest, in name: OCIRepositoryName) throws(VoltError) -> Bool {
        let answer = try send(
            Call(method: "HEAD", path: "/v2/\(name)/blobs/\(digest)", scope: Self.pull(name)))
        if answer.status == 404 { return false }
        guard answer.isSuccess else { throw failure(answer, "look for blob '\(digest)' of '\(name)'") }
        return true
    }

    /// The bytes that a blob has, or nil when it is not there.
    public func size(of digest: OCIDigest, in name: OCIRepositoryName) throws(VoltError) -> UInt64? {
        let answer = try send(
            Call(method: "HEAD", path: "/v2/\(name)/blobs/\(digest)", scope: Self.pull(name)))
        if answer.status == 404 { return nil }
        guard answer.isSuccess else { throw failure(answer, "look for blob '\(digest)' of '\(name)'") }
        guard let size = answer["content-length"].flatMap({ UInt64($0) }) else {
            throw VoltError(
                .failed, "'\(endpoint.host)' does not say how large '\(subject(digest.description, name))' is"
            )
        }
        guard size <= UInt64(Int64.max) else {
            throw VoltError(
                .refused,
                "'\(endpoint.host)' says that '\(subject(digest.description, name))' has \(size) bytes")
        }
        return size
    }

    /// Fetches a blob, verified at its end. A connection that breaks is made again, and goes on where the other ended.
    ///
    /// - Parameter size: what a descriptor says; more is refused.
    public func blob(
        _ digest: OCIDigest, size: UInt64?, in name: OCIRepositoryName,
        _ sink: @escaping (UnsafeRawBufferPointer) throws(VoltError) -> Void
    ) throws(VoltError) {
        let hasher = OCIHasher(digest.algorithm)
        var came: UInt64 = 0
        var attempt = 0
        while true {
            var call = Call(method: "GET", path: "/v2/\(name)/blobs/\(digest)", scope: Self.pull(name))
            // Of a whole blob, when the server does not know ranges.
            call.limit = size.map { Int(clamping: $0) } ?? Int.max
            let start = came
            if start > 0 { call.headers.append(("Range", "bytes=\(start)-")) }
            do throws(VoltError) {
                // A server that does not know ranges sends all of it again.
                var skip = start
                let answer = try send(call) { status, part throws(VoltError) in
                    var part = part
                    if skip > 0, status != 206 {
                        let count = Int(min(skip, UInt64(part.count)))
                        skip -= UInt64(count)
                        part = UnsafeRawBufferPointer(rebasing: part[count...])
                    }
                    hasher.update(part)
                    came += UInt64(part.count)
                    try sink(part)
                }
                guard answer.isSuccess else { throw failure(answer, "pull blob '\(digest)' of '\(name)'") }
                break
            } catch {
                guard error.code == .tryAgain, attempt < endpoint.settings.retries, !stop() else {
                    throw error
                }
                attempt = came > start ? 0 : attempt + 1
                rest(.milliseconds(200 << min(attempt, 5)))
            }
        }
        guard size == nil || size == came, hasher.finish() == digest else {
            throw VoltError(
                .refused,
                "'\(endpoint.host)' sends other bytes than blob '\(digest)' of '\(name)' has",
                hint: "the registry is damaged, or something on the way to it is not to be trusted")
        }
    }

    /// Writes a blob to a file, which appears when it is whole and durable; `-` is standard output.
    public func fetch(_ digest: OCIDigest, in name: OCIRepositoryName, to path: String) throws(VoltError) {
        if path == "-" {
            return try blob(digest, size: nil, in: name) { part throws(VoltError) in
                try StandardOutput.write(part)
            }
        }
        let temporary = "\(path).\(getpid()).part"
        let output = volt_open(temporary, O_WRONLY | O_CREAT | O_EXCL, 0o644)
        guard output >= 0 else { throw SystemError.current.during("cannot write '\(path)'") }
        do throws(VoltError) {
            defer { close(output) }
            try blob(digest, size: nil, in: name) { part throws(VoltError) in
                try Files.write(Array(part), to: output, named: path)
            }
            guard fsync(output) == 0 else { throw SystemError.current.during("cannot write '\(path)'") }
            try Files.move(temporary, to: path)
        } catch {
            unlink(temporary)
            throw error
        }
    }

    /// Gives a repository a blob of another one of the same registry.
    ///
    /// - Returns: false when it has to be pushed.
    public func mount(_ digest: OCIDigest, from source: OCIRepositoryName, to name: OCIRepositoryName)
        throws(VoltError) -> Bool
    {
        let path =
            "/v2/\(name)/blobs/uploads/?mount=\(Percent.encode("\(digest)"))&from=\(Percent.encode("\(source)"))"
        let answer = try send(
            Call(method: "POST", path: path, scope: "\(Self.push(name)) \(Self.pull(source))"))
        if answer.status == 202, let place = place(answer) {
            // An upload was begun that nobody goes on with.
            _ = try? send(Call(method: "DELETE", path: place, scope: Self.push(name), mayRepeat: false))
        }
        return answer.status == 201
    }

    /// Pushes a blob from an open file. What was sent when a connection broke is not sent again.
    public func push(
        _ digest: OCIDigest, from descriptor: Int32, size: UInt64, to name: OCIRepositoryName
    ) throws(VoltError) {
        let scope = Self.push(name)
        var attempt = 0
        var begun = try begin(name)
        var sent: UInt64 = 0
        while true {
            do throws(VoltError) {
                let mark = begun.contains("?") ? "&" : "?"
                var call = Call(
                    method: "PUT", path: "\(begun)\(mark)digest=\(Percent.encode("\(digest)"))", scope: scope)
                call.headers = [("Content-Type", "application/octet-stream")]
                call.upload = WebUpload(descriptor: descriptor, offset: sent, count: size - sent)
                if sent > 0, sent < size {
                    call.headers.append(("Content-Range", "\(sent)-\(size - 1)"))
                }
                call.mayRepeat = false
                let answer = try send(call)
                guard answer.isSuccess else { throw failure(answer, "push blob '\(digest)' to '\(name)'") }
                return
            } catch {
                guard error.code == .tryAgain, attempt < endpoint.settings.retries, !stop() else {
                    throw error
                }
                attempt += 1
                rest(.milliseconds(200 << min(attempt, 5)))
                // It may have arrived, and only the answer was lost.
                if try hasBlob(digest, in: name) { return }
                (begun, sent) = try resume(begun, size, name)
            }
        }
    }

    /// Where an upload goes on; a new one when the registry has forgotten it.
    private func resume(_ place: String, _ size: UInt64, _ name: OCIRepositoryName) throws(VoltError)
        -> (String, UInt64)
    {
        let answer = try send(Call(method: "GET", path: place, scope: Self.push(name)))
        if answer.isSuccess, let range = answer["range"],
            let last = range.split(separator: "-").last.flatMap({ UInt64($0) }),
            // Of nothing the same is said as of one byte.
            last > 0, last < size
        {
            return (self.place(answer) ?? place, last + 1)
        }
        return (try begin(name), 0)
    }

    /// Begins an upload; its path.
    private func begin(_ name: OCIRepositoryName) throws(VoltError) -> String {
        let answer = try send(
            Call(method: "POST", path: "/v2/\(name)/blobs/uploads/", scope: Self.push(name)))
        guard answer.isSuccess else { throw failure(answer, "push to '\(name)'") }
        guard let place = place(answer) else {
            throw wrong("\(endpoint.host)/\(name)", "it does not say where the upload goes")
        }
        return place
    }

    /// The path of a Location, which has to be of the same registry: the login goes there.
    private func place(_ answer: WebAnswer) -> String? {
        guard let location = answer["location"], let url = try? WebURL(location, relativeTo: answer.url),
            url.origin == answer.url.origin
        else { return nil }
        return url.target
    }

    /// Deletes a blob.
    public func deleteBlob(_ digest: OCIDigest, in name: OCIRepositoryName) throws(VoltError) {
        let answer = try send(
            Call(method: "DELETE", path: "/v2/\(name)/blobs/\(digest)", scope: Self.delete(name)))
        guard answer.isSuccess else { throw failure(answer, "delete blob '\(digest)'") }
    }
}

extension Substring {
    var trimmingBlanks: String {
        var text = self
        while text.first == " " { text.removeFirst() }
        while text.last == " " { text.removeLast() }
        return String(text)
    }
}
