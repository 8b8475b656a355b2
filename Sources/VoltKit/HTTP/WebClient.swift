internal import CCurl
internal import Glibc
public import VoltCore
internal import VoltSystem

/// A blocking client for http and https on libcurl, for a thread or a helper process of its own.
///
/// A value belongs to one thread at a time; connections are kept and used again. It reads no variable of
/// the environment, no `.netrc` and no cookie, does not unpack what a server compressed, and speaks
/// HTTP/1.1.
public final class WebClient {
    private let handle: OpaquePointer?
    private let settings: Settings

    /// How servers are reached.
    public struct Settings: Sendable {
        /// Certificates in PEM to trust in place of those of the system.
        public var certificates: [UInt8]?
        /// A proxy such as `http://proxy:3128` or `socks5h://proxy:1080`; nil for none.
        public var proxy: String?
        /// Whether `http://` to other hosts than this one is allowed.
        public var allowsHTTP = false
        /// Whether link-local addresses, where clouds answer with the machine's credentials, are allowed.
        public var allowsLinkLocal = false
        /// The `User-Agent`.
        public var userAgent = "volt/\(VoltVersion.text)"

        /// The settings above.
        public init() {}

        /// Trusts the certificates of a file.
        ///
        /// - Parameter caFile: certificates in PEM, or nil for those of the system.
        public init(caFile: String?) throws(VoltError) {
            if let caFile { certificates = try Files.read(caFile, limit: 1 << 20) }
        }
    }

    // curl_global_init(3) must run once, before any handle; a static is initialised once.
    private static let isReady = volt_curl_global_init() == CURLE_OK

    /// - Parameter settings: how servers are reached.
    public init(_ settings: Settings = Settings()) {
        handle = Self.isReady ? OpaquePointer(curl_easy_init()) : nil
        self.settings = settings
    }

    deinit { if let handle { curl_easy_cleanup(UnsafeMutableRawPointer(handle)) } }

    /// Sends a request and reads the answer into memory. An answer with any status is returned.
    ///
    /// - Parameter stop: asked about once a second and whenever something happens; true gives up.
    /// - Throws: `VoltError`; code `tryAgain` when the network or the server failed, `refused` for what is
    ///   not allowed or not trusted.
    public func send(
        _ request: WebRequest, limits: WebLimits = WebLimits(), stop: () -> Bool = { false }
    ) throws(VoltError) -> WebAnswer {
        try follow(request, limits, sink: nil, stop)
    }

    /// Sends a request and hands the body of a success on as it comes; that of any other answer is in the
    /// answer.
    ///
    /// - Parameter sink: gets the parts in their order; what it throws ends the request and is thrown.
    public func send(
        _ request: WebRequest, limits: WebLimits, stop: () -> Bool = { false },
        sink: (UnsafeRawBufferPointer) throws(VoltError) -> Void
    ) throws(VoltError) -> WebAnswer {
        try send(request, limits: limits, stop: stop) { (_, part) throws(VoltError) in try sink(part) }
    }

    /// The same, for who has to know which success it is.
    ///
    /// - Parameter sink: gets the status with each part.
    public func send(
        _ request: WebRequest, limits: WebLimits, stop: () -> Bool = { false },
        sink: (_ status: Int, UnsafeRawBufferPointer) throws(VoltError) -> Void
    ) throws(VoltError) -> WebAnswer {
        let result: Result<WebAnswer, VoltError> = withoutActuallyEscaping(sink) { sink in
            do throws(VoltError) { return .success(try follow(request, limits, sink: sink, stop)) } catch {
                return .failure(error)
            }
        }
        return try result.get()
    }

    /// Writes the body of a success to a file, which appears under its name when it is whole and on disk.
    ///
    /// - Parameters:
    ///   - path: the file; left as it is when the answer is no success.
    ///   - mode: of the file.
    public func download(
        _ request: WebRequest, to path: String, mode: UInt32 = 0o644, limits: WebLimits,
        stop: () -> Bool = { false }
    ) throws(VoltError) -> WebAnswer {
        let file = try PartialFile(for: path, mode: mode)
        let answer = try send(request, limits: limits, stop: stop) { (part) throws(VoltError) in
            try file.append(part)
        }
        if answer.isSuccess { try file.finish() }
        return answer
    }

    /// Whether an address is in 169.254.0.0/16 (RFC 3927) or fe80::/10 (RFC 4291), or is the IPv6 address of
    /// the metadata of AWS: what `Settings.allowsLinkLocal` is about.
    public static func isLinkLocal(_ address: String) -> Bool { Transfer.isLinkLocal(address) }

    private func follow(
        _ request: WebRequest, _ limits: WebLimits, sink: Transfer.Sink?, _ stop: () -> Bool
    ) throws(VoltError) -> WebAnswer {
        var request = request
        let clock = ContinuousClock()
        let deadline = clock.now + limits.total
        for _ in 0...max(0, limits.redirects) {
            let answer = try perform(request, limits, left: deadline - clock.now, sink: sink, stop)
            guard [301, 302, 303, 307, 308].contains(answer.status), let location = answer["location"] else {
                return answer
            }
            request = try Self.redirected(request, to: location, status: answer.status)
        }
        throw VoltError(.refused, "'\(request.url)' redirects more than \(limits.redirects) times")
    }

    /// The request that a redirect asks for (RFC 9110, section 15.4).
    static func redirected(_ request: WebRequest, to location: String, status: Int) throws(VoltError)
        -> WebRequest
    {
        let url: WebURL
        do throws(VoltError) { url = try WebURL(location, relativeTo: request.url) } catch {
            throw VoltError(.refused, "'\(request.url)' redirects to what is no URL of http or https")
        }
        guard url.scheme == request.url.scheme || url.scheme == "https" else {
            throw VoltError(.refused, "'\(request.url)' redirects to '\(url)', which is not encrypted")
        }
        guard url.user == nil, url.password == nil else {
            throw VoltError(.refused, "'\(request.url)' redirects to a URL with a password")
        }
        var next = request
        next.url = url
        if status == 303, request.method != "HEAD" {
            next.method = "GET"
            next.body = []
            next.upload = nil
        }
        if url.origin != request.url.origin {
            guard next.method == "GET" || next.method == "HEAD" else {
                throw VoltError(
                    .refused, "'\(request.url)' redirects a \(next.method) to '\(url)'",
                    hint: "give the address of the server that takes it")
            }
            next.secretHeaders = []
            next.signing = nil
        } else if next.method != request.method || (status < 303 && request.method == "POST") {
            // Nobody wants a POST that has silently become a GET.
            guard status == 303 else {
                throw VoltError(
                    .refused, "'\(request.url)' redirects a POST",
                    hint: "give the address that takes it")
            }
        }
        return next
    }

    private func perform(
        _ request: WebRequest, _ limits: WebLimits, left: Duration, sink: Transfer.Sink?, _ stop: () -> Bool
    ) throws(VoltError) -> WebAnswer {
        guard let handle else { throw VoltError(.failed, "libcurl cannot be started") }
        guard request.url.scheme == "https" || settings.allowsHTTP || request.url.isLoopback else {
            throw VoltError(.refused, "'\(request.url)' is not encrypted", hint: "use https://")
        }
        let easy = UnsafeMutableRawPointer(handle)
        let result: Result<WebAnswer, VoltError> = withoutActuallyEscaping(stop) { stop in
            let transfer = Transfer(
                limit: limits.body, origin: request.url.origin, allowsLinkLocal: settings.allowsLinkLocal,
                upload: request.upload,
                sink: sink, stop: stop)
            curl_easy_reset(easy)
            var fields: UnsafeMutablePointer<curl_slist>?
            defer { curl_slist_free_all(fields) }
            do throws(VoltError) {
                try EasyOptions(handle: easy).apply(request, settings, limits, left: left, fields: &fields)
            } catch { return .failure(error) }
            return request.body.withUnsafeBytes { body in
                // Not copied by libcurl: the bytes stay for the call.
                if !body.isEmpty { _ = volt_curl_set_pointer(easy, CURLOPT_POSTFIELDS, body.baseAddress) }
                return withExtendedLifetime(transfer) {
                    let set = volt_curl_set_callbacks(
                        easy, Unmanaged.passUnretained(transfer).toOpaque(), TransferCallbacks.header,
                        TransferCallbacks.body, TransferCallbacks.progress, TransferCallbacks.connected)
                    guard set == CURLE_OK else { return .failure(VoltError(.failed, "libcurl is too old")) }
                    if let upload = request.upload {
                        guard
                            volt_curl_set_upload(
                                easy, Unmanaged.passUnretained(transfer).toOpaque(), TransferCallbacks.read,
                                curl_off_t(upload.count)) == CURLE_OK
                        else { return .failure(VoltError(.failed, "libcurl is too old")) }
                    }
                    let code = curl_easy_perform(easy)
                    if let failure = transfer.failure { return .failure(failure) }
                    guard code == CURLE_OK else {
                        return .failure(WebFailure.error(code, request.url, limits, easy))
                    }
                    return .success(
                        WebAnswer(
                            status: transfer.status, headers: transfer.headers, body: transfer.body,
                            url: request.url))
                }
            }
        }
        return try result.get()
    }
}
