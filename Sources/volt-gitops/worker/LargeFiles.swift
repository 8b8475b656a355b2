import CVoltSystem
import FoundationEssentials
import GitopsSource
import Glibc
import VoltCore
import VoltCrypto
import VoltGit
import VoltHTTP
import VoltSystem

/// Puts the content of Git LFS in the place of its pointers, by the batch API with basic transfers (Git LFS
/// API, docs/api/batch.md and docs/api/basic-transfers.md).
///
/// The content is kept beside the mirror, by its digest, for as long as it is used.
struct LargeFiles {
    /// Objects in one request, as the clients of Git LFS have it.
    private static let batch = 100
    /// What was not used for so long is removed, in seconds.
    private static let kept = 30 * 86_400
    private static let mediaType = "application/vnd.git-lfs+json"

    private let repository: RepositoryAccess
    private let origin: RepositoryURL
    private let cache: String

    init(_ repository: RepositoryAccess, origin: RepositoryURL, mirror: MirrorDirectory) {
        self.repository = repository
        self.origin = origin
        cache = mirror.largeFiles
    }

    /// Replaces the pointers in a tree that was written.
    ///
    /// - Returns: the bytes that came in addition.
    func fill(_ directory: String, of plan: TreePlan) throws(VoltError) -> Int {
        var places: [LFSPointer: [String]] = [:]
        for path in plan.pointers {
            let bytes = try Files.read(beneath: directory, path, limit: LFSPointer.longest)
            if let pointer = LFSPointer(bytes) { places[pointer, default: []].append(path) }
        }
        guard !places.isEmpty else { return 0 }
        let limits = TreeLimits()
        var total = plan.bytes
        for (pointer, paths) in places {
            let (bytes, overflow) = pointer.size.multipliedReportingOverflow(by: paths.count)
            guard !overflow, bytes <= limits.bytes - total else {
                throw VoltError(
                    .refused,
                    "'\(paths[0])' makes the tree larger than \(ByteSize(bytes: UInt64(limits.bytes)))")
            }
            total += bytes
        }
        try Files.makeDirectory(cache, mode: 0o700)
        let missing = places.keys.filter { !isKept($0) }.sorted { $0.oid < $1.oid }
        for start in stride(from: 0, to: missing.count, by: Self.batch) {
            try fetch(Array(missing[start..<min(start + Self.batch, missing.count)]), places)
        }
        for (pointer, paths) in places {
            for path in paths { try copy(pointer, directory, path) }
        }
        prune()
        return total - plan.bytes
    }

    // MARK: The server

    private struct Request: Encodable {
        struct Object: Encodable {
            let oid: String
            let size: Int
        }
        enum CodingKeys: String, CodingKey {
            case operation, transfers, objects
            case hashAlgorithm = "hash_algo"
        }
        let operation = "download"
        let transfers = ["basic"]
        let hashAlgorithm = "sha256"
        let objects: [Object]
    }

    private struct Answer: Decodable {
        struct Object: Decodable {
            struct Failure: Decodable {
                let code: Int?
                let message: String?
            }
            struct Actions: Decodable {
                struct Action: Decodable {
                    let href: String
                    let header: [String: String]?
                }
                let download: Action?
            }
            let oid: String
            let error: Failure?
            let actions: Actions?
        }
        let transfer: String?
        let objects: [Object]
    }

    private func fetch(_ pointers: [LFSPointer], _ places: [LFSPointer: [String]]) throws(VoltError) {
        guard origin.transport == .https || origin.transport == .http else {
            throw VoltError(
                .refused, "the files of Git LFS of '\(origin.text)' are read over https only",
                hint: "give the repository by its https:// URL, or leave --lfs out")
        }
        var settings = try WebClient.Settings(caFile: repository.caFile)
        settings.proxy = repository.proxy
        settings.allowsHTTP = repository.allowsHTTP
        let client = WebClient(settings)
        var base = origin.text
        while base.hasSuffix("/") { base.removeLast() }
        let url = try WebURL("\(base)\(base.hasSuffix(".git") ? "" : ".git")/info/lfs/objects/batch")
        var request = WebRequest(
            "POST", url, headers: [("Accept", Self.mediaType), ("Content-Type", Self.mediaType)])
        request.secretHeaders = try credential()
        do {
            request.body = Array(
                try JSONEncoder().encode(Request(objects: pointers.map { .init(oid: $0.oid, size: $0.size) }))
            )
        } catch { throw VoltError(.failed, "cannot encode a request: \(error)") }
        let answer = try client.send(request, limits: WebLimits(body: 4 << 20))
        guard answer.isSuccess else {
            let isRefused = answer.status == 401 || answer.status == 403
            throw VoltError(
                isRefused ? .refused : .failed, "'\(url)' answers \(answer.status) to a request for Git LFS",
                hint: isRefused ? "give a token that may read the repository, with --token-file" : nil)
        }
        guard let batch = try? JSONDecoder().decode(Answer.self, from: Data(answer.body)),
            batch.transfer == nil || batch.transfer == "basic"
        else { throw VoltError(.failed, "'\(url)' does not speak the batch API of Git LFS") }
        for pointer in pointers {
            let path = places[pointer]?.first ?? pointer.oid
            let object = batch.objects.first { $0.oid == pointer.oid }
            guard let action = object?.actions?.download else {
                let code = object?.error?.code.map { " (\($0))" } ?? ""
                throw VoltError(
                    .notFound, "the content of '\(path)' is not in the Git LFS of '\(origin.text)'\(code)",
                    hint: "push it with 'git lfs push --all'")
            }
            try download(pointer, from: action, for: path, client)
        }
    }

    private func download(
        _ pointer: LFSPointer, from action: Answer.Object.Actions.Action, for path: String,
        _ client: WebClient
    ) throws(VoltError) {
        let url: WebURL
        do throws(VoltError) { url = try WebURL(action.href) } catch {
            throw VoltError(.refused, "the Git LFS of '\(origin.text)' names no URL for '\(path)'")
        }
        var request = WebRequest("GET", url)
        request.secretHeaders = (action.header ?? [:]).sorted { $0.key < $1.key }.map { ($0.key, $0.value) }
        let isOwn = url.origin == (try WebURL(origin.text)).origin
        if isOwn, !request.secretHeaders.contains(where: { $0.name.lowercased() == "authorization" }) {
            request.secretHeaders += try credential()
        }
        let incoming = "\(cache)/.incoming"
        // At 50 KB a second, and a minute more.
        let limits = WebLimits(
            body: max(pointer.size, 1), total: .seconds(60 + pointer.size / 50_000), redirects: 3)
        let answer = try client.download(request, to: incoming, mode: 0o600, limits: limits)
        guard answer.isSuccess else {
            throw VoltError(.failed, "'\(url)' answers \(answer.status) for the content of '\(path)'")
        }
        guard try digest(incoming) == (pointer.oid, pointer.size) else {
            try Files.remove(incoming)
            throw VoltError(
                .refused, "'\(url)' gave other bytes for '\(path)' than its pointer names",
                hint: "the file on the server is damaged: push it again with 'git lfs push --all'")
        }
        try Files.move(incoming, to: kept(pointer))
    }

    /// The token of the repository, which goes to its own origin.
    private func credential() throws(VoltError) -> [(name: String, value: String)] {
        guard let file = repository.tokenFile else { return [] }
        guard origin.transport == .https || origin.isLoopback else {
            throw VoltError(
                .refused, "the token in '\(file)' would be sent unencrypted to '\(origin.host)'",
                hint: "use https://")
        }
        let user = repository.username ?? origin.user ?? "git"
        return [("Authorization", "Basic \(Base64.encode(Array("\(user):\(try Secret.read(file))".utf8)))")]
    }

    // MARK: The files

    private func kept(_ pointer: LFSPointer) -> String { "\(cache)/\(pointer.oid)" }

    private func isKept(_ pointer: LFSPointer) -> Bool {
        // The time says when it was used last.
        utimensat(AT_FDCWD, kept(pointer), nil, 0) == 0
    }

    private func prune() {
        let now = Int(SystemClock().now().milliseconds / 1000)
        for name in (try? Files.list(cache)) ?? [] {
            var information = stat()
            // The mirror is locked: what is only begun was left by a worker that died.
            let isBegun = name.hasPrefix(".incoming")
            guard stat("\(cache)/\(name)", &information) == 0,
                isBegun || now.subtractingClamped(information.st_mtim.tv_sec) > Self.kept
            else { continue }
            try? Files.remove("\(cache)/\(name)")
        }
    }

    private func digest(_ path: String) throws(VoltError) -> (oid: String, size: Int) {
        let hasher = SHA256Hasher()
        var size = 0
        try read(path) { (part) throws(VoltError) in
            hasher.update(part)
            size += part.count
        }
        return (Hex.encode(hasher.finishBytes()), size)
    }

    /// Writes the content over the pointer, whose permissions stay.
    private func copy(_ pointer: LFSPointer, _ directory: String, _ path: String) throws(VoltError) {
        let parent = volt_open(directory, O_RDONLY | O_DIRECTORY, 0)
        guard parent >= 0 else { throw SystemError.current.during("cannot open '\(directory)'") }
        defer { close(parent) }
        let file = volt_open_beneath(parent, path, O_WRONLY | O_TRUNC | O_NOFOLLOW, 0)
        guard file >= 0 else { throw SystemError.current.during("cannot write '\(path)'") }
        defer { close(file) }
        try read(kept(pointer)) { (part) throws(VoltError) in
            try Files.write(Array(part), to: file, named: path)
        }
    }

    private func read(_ path: String, _ body: (UnsafeRawBufferPointer) throws(VoltError) -> Void)
        throws(VoltError)
    {
        let file = volt_open(path, O_RDONLY, 0)
        guard file >= 0 else { throw SystemError.current.during("cannot open '\(path)'") }
        defer { close(file) }
        var buffer = [UInt8](repeating: 0, count: 1 << 20)
        while true {
            let count = Glibc.read(file, &buffer, buffer.count)
            if count < 0, errno == EINTR { continue }
            guard count >= 0 else { throw SystemError.current.during("cannot read '\(path)'") }
            guard count > 0 else { return }
            let result: Result<Void, VoltError> = buffer.withUnsafeBytes { bytes in
                do throws(VoltError) {
                    return .success(try body(UnsafeRawBufferPointer(rebasing: bytes[..<count])))
                } catch { return .failure(error) }
            }
            try result.get()
        }
    }
}
