internal import Glibc
public import VoltCore
internal import VoltCrypto
internal import VoltHTTP

/// A client of one bucket (Amazon S3 API), for one thread. Names of objects are A-Z, a-z, 0-9 and `-._/`.
///
/// Requests are signed by libcurl; what failed for a while is tried again with growing pauses.
public final class S3Client {
    /// Larger files go in parts, of this size.
    static let part: UInt64 = 64 << 20
    private static let retries = 5

    /// The bucket.
    public let bucket: S3Bucket
    private let web: WebClient

    /// - Parameter bucket: whose objects are meant.
    public init(_ bucket: S3Bucket) {
        self.bucket = bucket
        var settings = WebClient.Settings()
        settings.certificates = bucket.certificates
        // Inside a data centre; what is signed and named by its digest cannot be changed on the way unseen.
        settings.allowsHTTP = true
        web = WebClient(settings)
    }

    private struct Call {
        var method: String
        var key: String
        /// In the order of their names: they are signed as they stand.
        var query: [(name: String, value: String)] = []
        var headers: [(name: String, value: String)] = []
        var body: [UInt8] = []
        var upload: WebUpload?
        var limit = 8 << 20
    }

    private typealias Sink = (_ status: Int, UnsafeRawBufferPointer) throws(VoltError) -> Void

    private func send(_ call: Call, sink: Sink? = nil) throws(VoltError) -> WebAnswer {
        var pause = 100_000
        var attempt = 0
        while true {
            var failure: VoltError?
            do throws(VoltError) {
                let answer = try once(call, sink)
                guard [408, 429, 500, 502, 503, 504].contains(answer.status), attempt < Self.retries else {
                    return answer
                }
            } catch {
                guard error.code == .tryAgain, attempt < Self.retries, sink == nil else { throw error }
                failure = error
            }
            _ = failure
            attempt += 1
            usleep(UInt32(pause + Int.random(in: 0...pause)))
            pause = min(pause * 2, 5_000_000)
        }
    }

    private func once(_ call: Call, _ sink: Sink?) throws(VoltError) -> WebAnswer {
        let query = call.query.map { "\($0.name)=\(Percent.encode($0.value))" }.joined(separator: "&")
        let path = call.key.isEmpty ? "" : "/\(bucket.prefix)\(call.key)"
        let url = try WebURL("\(bucket.endpoint)/\(bucket.name)\(path)\(query.isEmpty ? "" : "?\(query)")")
        var request = WebRequest(call.method, url, headers: call.headers, body: call.body)
        request.upload = call.upload
        request.signing = WebSigning(
            region: bucket.region, service: "s3", keyID: bucket.account.keyID, secret: bucket.account.secret)
        if let token = bucket.account.sessionToken {
            request.secretHeaders = [("x-amz-security-token", token)]
        }
        let limits = WebLimits(
            body: call.limit, total: .seconds(86_400), stall: .seconds(60), redirects: 0)
        if let sink { return try web.send(request, limits: limits, stop: { false }, sink: sink) }
        return try web.send(request, limits: limits)
    }

    private func failure(_ answer: WebAnswer, _ what: String) -> VoltError {
        let said = S3Problem(answer.body).map { "\($0.code): \($0.message.prefix(200))" }
        let message = "cannot \(what) in '\(bucket)': \(said ?? "status \(answer.status)")"
        return switch answer.status {
        case 301, 307:
            VoltError(.usage, message, hint: "the bucket is in another region: name that one")
        case 401, 403:
            VoltError(.refused, message, hint: "are the key, its secret and what it may do right?")
        case 404: VoltError(.notFound, message, hint: "is the bucket's name written right?")
        case 429, 500...599: VoltError(.tryAgain, message)
        default: VoltError(.failed, message)
        }
    }

    // MARK: Objects

    /// The bytes of a small object, or nil when it is not there.
    ///
    /// - Parameter limit: more are refused.
    public func get(_ key: String, limit: Int = 8 << 20) throws(VoltError) -> [UInt8]? {
        var call = Call(method: "GET", key: key)
        call.limit = limit
        let answer = try send(call)
        if try isMissing(answer, "read '\(key)'") { return nil }
        return answer.body
    }

    private func isMissing(_ answer: WebAnswer, _ what: String) throws(VoltError) -> Bool {
        if answer.isSuccess { return false }
        // A bucket that is not there is something else.
        if answer.status == 404, S3Problem(answer.body)?.code != "NoSuchBucket" { return true }
        throw failure(answer, what)
    }

    /// Gives the bytes of an object as they come. A connection that breaks is made again, and goes on where it was.
    ///
    /// - Returns: false when it is not there.
    public func read(_ key: String, _ sink: @escaping (UnsafeRawBufferPointer) throws(VoltError) -> Void)
        throws(VoltError) -> Bool
    {
        var came: UInt64 = 0
        var attempt = 0
        while true {
            var call = Call(method: "GET", key: key)
            call.limit = .max
            let start = came
            if start > 0 { call.headers.append(("Range", "bytes=\(start)-")) }
            do throws(VoltError) {
                var problem: [UInt8] = []
                let answer = try send(call) { status, part throws(VoltError) in
                    guard status == (start > 0 ? 206 : 200) else {
                        if problem.count < 4096 { problem += part.prefix(4096) }
                        return
                    }
                    came += UInt64(part.count)
                    try sink(part)
                }
                if answer.status == 404, S3Problem(problem)?.code != "NoSuchBucket" { return false }
                // Nothing was left to send.
                if answer.status == 416, start > 0 { return true }
                guard answer.status == (start > 0 ? 206 : 200) else { throw failure(answer, "read '\(key)'") }
                return true
            } catch {
                guard error.code == .tryAgain, attempt < Self.retries else { throw error }
                attempt = came > start ? 0 : attempt + 1
                usleep(UInt32(200_000 << min(attempt, 5)))
            }
        }
    }

    /// Writes a small object.
    ///
    /// - Parameter bytes: at least one.
    public func put(_ key: String, _ bytes: [UInt8]) throws(VoltError) {
        var call = Call(method: "PUT", key: key, body: bytes)
        call.headers = [("Content-Type", "application/octet-stream")]
        let answer = try send(call)
        guard answer.isSuccess else { throw failure(answer, "write '\(key)'") }
    }

    /// Writes an object from an open file; it is there as a whole, or not at all.
    public func put(_ key: String, from descriptor: Int32, size: UInt64) throws(VoltError) {
        if size > Self.part { return try putParts(key, descriptor, size) }
        try _ = putPart(key, [], descriptor, 0, size)
    }

    private func putPart(
        _ key: String, _ query: [(name: String, value: String)], _ descriptor: Int32, _ offset: UInt64,
        _ count: UInt64
    ) throws(VoltError) -> String {
        var call = Call(method: "PUT", key: key, query: query)
        call.upload = WebUpload(descriptor: descriptor, offset: offset, count: count)
        call.headers = [
            ("Content-Type", "application/octet-stream"),
            // The server compares it with what arrives.
            ("x-amz-content-sha256", try Self.digest(descriptor, offset, count)),
        ]
        let answer = try send(call)
        guard answer.isSuccess else { throw failure(answer, "write '\(key)'") }
        return answer["etag"] ?? ""
    }

    private static func digest(_ descriptor: Int32, _ offset: UInt64, _ count: UInt64) throws(VoltError)
        -> String
    {
        let hasher = SHA256Hasher()
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 1 << 18, alignment: 4096)
        defer { buffer.deallocate() }
        var done: UInt64 = 0
        while done < count {
            let read = pread(
                descriptor, buffer.baseAddress, Int(min(count - done, UInt64(buffer.count))),
                off_t(offset + done))
            if read < 0, errno == EINTR { continue }
            guard read > 0 else { throw VoltError(.failed, "a file that is sent to S3 cannot be read") }
            hasher.update(UnsafeRawBufferPointer(rebasing: buffer[..<read]))
            done += UInt64(read)
        }
        return Hex.encode(hasher.finishBytes())
    }

    private func putParts(_ key: String, _ descriptor: Int32, _ size: UInt64) throws(VoltError) {
        let begun = try send(Call(method: "POST", key: key, query: [("uploads", "")]))
        guard begun.isSuccess, let id = S3XML.parse(begun.body)?["UploadId"]?.text, !id.isEmpty else {
            throw failure(begun, "begin to write '\(key)'")
        }
        do throws(VoltError) {
            var list = "<CompleteMultipartUpload>"
            var offset: UInt64 = 0
            var number = 1
            while offset < size {
                let count = min(Self.part, size - offset)
                let tag = try putPart(
                    key, [("partNumber", String(number)), ("uploadId", id)], descriptor, offset, count)
                let plain = tag.filter { $0 != "\"" && $0 != "<" && $0 != "&" }
                list += "<Part><PartNumber>\(number)</PartNumber><ETag>\"\(plain)\"</ETag></Part>"
                offset += count
                number += 1
            }
            var end = Call(method: "POST", key: key, query: [("uploadId", id)])
            end.body = Array((list + "</CompleteMultipartUpload>").utf8)
            end.headers = [("Content-Type", "application/xml")]
            let answer = try send(end)
            // It answers 200 before it knows.
            guard answer.isSuccess, S3XML.parse(answer.body)?.name == "CompleteMultipartUploadResult" else {
                throw failure(answer, "write '\(key)'")
            }
        } catch {
            _ = try? send(Call(method: "DELETE", key: key, query: [("uploadId", id)]))
            throw error
        }
    }

    /// Removes an object; it is no error when it is not there.
    public func delete(_ key: String) throws(VoltError) {
        let answer = try send(Call(method: "DELETE", key: key))
        guard answer.isSuccess || answer.status == 404 else { throw failure(answer, "delete '\(key)'") }
    }

    // MARK: Lists

    /// Gives every object whose name begins so, in the order of the names as bytes, page by page.
    ///
    /// - Parameters:
    ///   - prefix: of the names.
    ///   - page: the most that one request gives.
    ///   - body: returns false when it has seen enough.
    public func list(_ prefix: String, page: Int = 1000, _ body: (S3Object) throws(VoltError) -> Bool)
        throws(VoltError)
    {
        var next: String?
        var seen: Set<String> = []
        while true {
            var query: [(name: String, value: String)] = []
            if let next { query.append(("continuation-token", next)) }
            query += [
                ("list-type", "2"), ("max-keys", String(page)), ("prefix", bucket.prefix + prefix),
            ]
            let answer = try send(Call(method: "GET", key: "", query: query))
            guard answer.isSuccess else { throw failure(answer, "list '\(prefix)'") }
            guard let listing = S3Listing(answer.body) else {
                throw VoltError(
                    .failed, "'\(bucket.endpoint)' answers with something that is no list of objects")
            }
            for var object in listing.objects {
                // What is not asked for is of no use.
                guard object.key.hasPrefix(bucket.prefix + prefix) else { continue }
                object.key.removeFirst(bucket.prefix.count)
                if try !body(object) { return }
            }
            guard let token = listing.next else { return }
            guard seen.insert(token).inserted else {
                throw VoltError(.failed, "'\(bucket.endpoint)' lists '\(prefix)' without end")
            }
            next = token
        }
    }

    /// Every object whose name begins so.
    public func list(_ prefix: String, limit: Int = .max) throws(VoltError) -> [S3Object] {
        var found: [S3Object] = []
        try list(prefix, page: min(limit, 1000)) { object throws(VoltError) in
            found.append(object)
            return found.count < limit
        }
        return found
    }
}
