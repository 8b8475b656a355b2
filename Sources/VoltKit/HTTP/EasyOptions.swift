internal import CCurl
internal import VoltCore

/// Sets a handle up for one request.
struct EasyOptions {
    let handle: UnsafeMutableRawPointer

    private func set(_ option: CURLoption, _ value: Int) throws(VoltError) {
        try check(volt_curl_set_long(handle, option, value), option)
    }

    private func set(_ option: CURLoption, _ value: String) throws(VoltError) {
        try check(volt_curl_set_text(handle, option, value), option)
    }

    private func check(_ code: CURLcode, _ option: CURLoption) throws(VoltError) {
        guard code == CURLE_OK else {
            let reason = String(cString: curl_easy_strerror(code))
            throw VoltError(.failed, "libcurl does not take option \(option.rawValue): \(reason)")
        }
    }

    /// - Parameter fields: the list of header fields, which the caller frees after the request.
    func apply(
        _ request: WebRequest, _ settings: WebClient.Settings, _ limits: WebLimits, left: Duration,
        fields: inout UnsafeMutablePointer<curl_slist>?
    ) throws(VoltError) {
        guard request.method.utf8.allSatisfy({ (65...90).contains($0) }), !request.method.isEmpty else {
            throw VoltError(.usage, "'\(request.method)' is no method of HTTP")
        }
        try set(CURLOPT_URL, request.url.text)
        try set(CURLOPT_PROTOCOLS_STR, "http,https")
        try set(CURLOPT_NOSIGNAL, 1)
        try set(CURLOPT_NOPROGRESS, 0)
        try set(CURLOPT_FOLLOWLOCATION, 0)
        try set(CURLOPT_HTTP_VERSION, Int(CURL_HTTP_VERSION_1_1))
        try set(CURLOPT_SSLVERSION, Int(CURL_SSLVERSION_TLSv1_2))
        try set(CURLOPT_USERAGENT, settings.userAgent)
        try set(CURLOPT_CUSTOMREQUEST, request.method)
        if request.method == "HEAD" { try set(CURLOPT_NOBODY, 1) }
        if !request.body.isEmpty {
            try set(CURLOPT_POST, 1)
            try check(
                volt_curl_set_size(
                    handle, CURLOPT_POSTFIELDSIZE_LARGE, curl_off_t(request.body.count)),
                CURLOPT_POSTFIELDSIZE_LARGE)
        }
        try set(CURLOPT_TIMEOUT_MS, Int(max(1, left.milliseconds)))
        try set(CURLOPT_CONNECTTIMEOUT_MS, Int(max(1, min(limits.connect, left).milliseconds)))
        try set(CURLOPT_LOW_SPEED_LIMIT, 1)
        try set(CURLOPT_LOW_SPEED_TIME, Int(max(1, limits.stall.milliseconds / 1000)))
        // An empty text: no proxy, also when the environment names one.
        try set(CURLOPT_PROXY, settings.proxy ?? "")
        try set(CURLOPT_NOPROXY, "")
        if let certificates = settings.certificates {
            try check(
                certificates.withUnsafeBytes {
                    volt_curl_set_certificates(handle, $0.baseAddress, $0.count)
                }, CURLOPT_CAINFO_BLOB)
            try check(volt_curl_set_text(handle, CURLOPT_CAPATH, nil), CURLOPT_CAPATH)
            try check(volt_curl_set_text(handle, CURLOPT_CAINFO, nil), CURLOPT_CAINFO)
        }
        let names = Set((request.headers + request.secretHeaders).map { $0.name.lowercased() })
        // libcurl adds both of its own accord.
        for name in ["Expect", "Content-Type"] where !names.contains(name.lowercased()) {
            fields = curl_slist_append(fields, "\(name):")
        }
        for (name, value) in request.headers + request.secretHeaders {
            guard Self.isToken(name), Self.isValue(value) else {
                // A value may be a secret: it is not shown.
                throw VoltError(.usage, "the header field '\(name)' holds a line end or a control character")
            }
            // libcurl takes "name;" for a field without a value.
            fields = curl_slist_append(fields, value.isEmpty ? "\(name);" : "\(name): \(value)")
        }
        try check(volt_curl_set_headers(handle, fields), CURLOPT_HTTPHEADER)
        if let signing = request.signing {
            try set(CURLOPT_AWS_SIGV4, "aws:amz:\(signing.region):\(signing.service)")
            try set(CURLOPT_USERNAME, signing.keyID)
            try set(CURLOPT_PASSWORD, signing.secret)
        }
    }

    private static func isToken(_ name: String) -> Bool {
        !name.isEmpty
            && name.utf8.allSatisfy {
                (48...57).contains($0) || (65...90).contains($0) || (97...122).contains($0) || $0 == 45
                    || $0 == 95
            }
    }

    private static func isValue(_ value: String) -> Bool {
        value.utf8.allSatisfy { ($0 >= 32 && $0 != 127) || $0 == 9 }
    }
}

/// What libcurl's codes mean to a person.
enum WebFailure {
    static func error(
        _ code: CURLcode, _ url: WebURL, _ limits: WebLimits, _ handle: UnsafeMutableRawPointer
    ) -> VoltError {
        switch code {
        case CURLE_COULDNT_RESOLVE_HOST:
            VoltError(
                .tryAgain, "the host of '\(url)' is not known",
                hint: "is it written right, and does name resolution work on this host?")
        case CURLE_COULDNT_RESOLVE_PROXY:
            VoltError(.tryAgain, "the proxy for '\(url)' is not known", hint: "check the proxy's name")
        case CURLE_COULDNT_CONNECT:
            VoltError(
                .tryAgain, "cannot connect to '\(url)'",
                hint: "is the server running, and does a firewall let this host through?")
        case CURLE_OPERATION_TIMEDOUT:
            VoltError(
                .tryAgain, "'\(url)' did not answer within \(DurationText.format(limits.total))",
                hint: "is the server overloaded, or does something drop the packets?")
        case CURLE_PEER_FAILED_VERIFICATION, CURLE_SSL_ISSUER_ERROR:
            VoltError(
                .refused, "cannot trust the certificate of '\(url)'",
                hint:
                    "is it of that name, in date and of a known authority? Give a private one with a CA file")
        case CURLE_SSL_CACERT_BADFILE:
            VoltError(.refused, "the CA file holds no certificate", hint: "it must be PEM")
        case CURLE_SSL_CONNECT_ERROR:
            VoltError(
                .tryAgain, "no TLS connection with '\(url)'",
                hint: "the server must speak TLS 1.2 or newer on this port")
        case CURLE_GOT_NOTHING, CURLE_RECV_ERROR, CURLE_SEND_ERROR, CURLE_PARTIAL_FILE:
            VoltError(.tryAgain, "'\(url)' closed the connection before its answer was whole")
        case CURLE_WEIRD_SERVER_REPLY, CURLE_UNSUPPORTED_PROTOCOL:
            VoltError(.failed, "'\(url)' does not speak HTTP")
        default:
            VoltError(.tryAgain, "'\(url)': \(String(cString: curl_easy_strerror(code)).lowercased())")
        }
    }
}
