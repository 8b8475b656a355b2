internal import CCurl
internal import Glibc
internal import VoltCore

/// What libcurl's callbacks know of the request that is under way. It lives on the stack of `perform`,
/// which is also the thread that calls them.
final class Transfer {
    typealias Sink = (_ status: Int, UnsafeRawBufferPointer) throws(VoltError) -> Void

    private(set) var status = 0
    private(set) var headers: [(name: String, value: String)] = []
    private(set) var body: [UInt8] = []
    private var headerBytes = 0
    private var received = 0
    private let limit: Int
    private let origin: String
    private let sink: Sink?
    private let stop: () -> Bool
    private let allowsLinkLocal: Bool
    private let upload: WebUpload?
    private var uploaded: UInt64 = 0
    /// Why a callback ended the transfer.
    private(set) var failure: VoltError?

    /// The body of an answer that is no success is kept for the error's sake, and not more of it.
    static let errorBody = 64 << 10

    init(
        limit: Int, origin: String, allowsLinkLocal: Bool, upload: WebUpload?, sink: Sink?,
        stop: @escaping () -> Bool
    ) {
        self.upload = upload
        self.limit = limit
        self.origin = origin
        self.allowsLinkLocal = allowsLinkLocal
        self.sink = sink
        self.stop = stop
    }

    /// A line of the header, with its line end.
    func header(_ bytes: UnsafeRawBufferPointer) -> Bool {
        headerBytes += bytes.count
        guard headerBytes <= WebLimits.header else {
            failure = VoltError(.refused, "'\(origin)' sent a header of more than \(WebLimits.header) bytes")
            return false
        }
        var line = String(decoding: bytes, as: UTF8.self)
        while line.last?.isNewline == true { line.removeLast() }
        if line.hasPrefix("HTTP/") {
            // Also after "100 Continue": what counts is the last header.
            headers = []
            status = line.split(separator: " ", maxSplits: 2).dropFirst().first.flatMap { Int($0) } ?? 0
        } else if let colon = line.firstIndex(of: ":") {
            let value = line[line.index(after: colon)...].drop { $0 == " " || $0 == "\t" }
            headers.append((line[..<colon].lowercased(), String(value)))
        }
        return true
    }

    /// A part of the body.
    func take(_ bytes: UnsafeRawBufferPointer) -> Bool {
        received += bytes.count
        let isSuccess = (200...299).contains(status)
        guard received <= (isSuccess ? limit : max(limit, Self.errorBody)) else {
            failure = VoltError(
                .refused, "'\(origin)' sent more than \(ByteSize(bytes: UInt64(max(0, limit))))")
            return false
        }
        guard isSuccess, let sink else {
            if isSuccess || body.count < Self.errorBody { body.append(contentsOf: bytes) }
            return true
        }
        do throws(VoltError) {
            try sink(status, bytes)
            return true
        } catch {
            failure = error
            return false
        }
    }

    /// Fills a buffer with what is to be sent next; nil when it cannot be read.
    func give(_ room: UnsafeMutableRawBufferPointer) -> Int? {
        guard let upload else { return 0 }
        let wanted = Int(min(UInt64(room.count), upload.count - uploaded))
        while wanted > 0 {
            let count = pread(upload.descriptor, room.baseAddress, wanted, off_t(upload.offset + uploaded))
            if count < 0, errno == EINTR { continue }
            guard count > 0 else {
                failure = VoltError(
                    .failed, "the file for '\(origin)' is shorter than it was, or cannot be read")
                return nil
            }
            uploaded += UInt64(count)
            return count
        }
        return 0
    }

    /// Asked again and again while the request is under way.
    var mayGoOn: Bool {
        guard failure == nil, stop() else { return failure == nil }
        failure = VoltError(.tryAgain, "the request to '\(origin)' was stopped")
        return false
    }

    /// Asked when the connection stands, before anything is sent.
    func accepts(address: String) -> Bool {
        guard !allowsLinkLocal, Self.isLinkLocal(address) else { return true }
        failure = VoltError(
            .refused, "'\(origin)' is at '\(address)', an address where clouds keep their secrets",
            hint: "use the address of the server itself")
        return false
    }

    /// 169.254.0.0/16 (RFC 3927), fe80::/10 (RFC 4291) and the IPv6 address of the metadata of AWS.
    static func isLinkLocal(_ address: String) -> Bool {
        let text = address.lowercased()
        if text.hasPrefix("169.254.") || text.hasPrefix("::ffff:169.254.") || text == "fd00:ec2::254" {
            return true
        }
        return text.hasPrefix("fe") && text.dropFirst(2).first.map { "89ab".contains($0) } == true
            && text.contains(":")
    }
}

/// The callbacks as libcurl wants them; the context is the `Transfer`, which outlives the call.
enum TransferCallbacks {
    static func transfer(_ context: UnsafeMutableRawPointer?) -> Transfer? {
        context.map { Unmanaged<Transfer>.fromOpaque($0).takeUnretainedValue() }
    }

    // A count that differs from what was handed over ends the transfer (CURLOPT_WRITEFUNCTION(3)).
    static let header: volt_curl_data = { bytes, size, count, context in
        let part = UnsafeRawBufferPointer(start: bytes, count: size * count)
        return TransferCallbacks.transfer(context)?.header(part) == true ? part.count : part.count &+ 1
    }
    static let body: volt_curl_data = { bytes, size, count, context in
        let part = UnsafeRawBufferPointer(start: bytes, count: size * count)
        return TransferCallbacks.transfer(context)?.take(part) == true ? part.count : part.count &+ 1
    }
    // CURL_READFUNC_ABORT of CURLOPT_READFUNCTION(3).
    static let read: volt_curl_data = { bytes, size, count, context in
        let room = UnsafeMutableRawBufferPointer(start: bytes, count: size * count)
        return TransferCallbacks.transfer(context)?.give(room) ?? 0x1000_0000
    }
    static let progress: volt_curl_progress = { context, _, _, _, _ in
        TransferCallbacks.transfer(context)?.mayGoOn == true ? 0 : 1
    }
    static let connected: volt_curl_connected = { context, address, _, _, _ in
        let text = address.map { String(cString: $0) } ?? ""
        return TransferCallbacks.transfer(context)?.accepts(address: text) == true
            ? CURL_PREREQFUNC_OK : CURL_PREREQFUNC_ABORT
    }
}
