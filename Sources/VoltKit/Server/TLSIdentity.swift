internal import CTLS
internal import Glibc
internal import Synchronization
public import VoltCore

/// The certificate and the key of an HTTPS server, read from files and read again on request.
public final class TLSIdentity: Sendable {
    /// PEM file with the server's certificate, then those of the authorities between it and the root.
    public let certificateFile: String
    /// PEM file with the key, without a passphrase.
    public let keyFile: String
    /// PEM file with the authorities whose certificates clients may show; nil when clients are not asked for one.
    public let clientAuthoritiesFile: String?
    private let current: Mutex<TLSContext>

    /// Reads the files.
    ///
    /// - Throws: `VoltError`; code `notFound` when a file is missing, `refused` when others may read the
    ///   key, `usage` when they hold something else or do not belong together.
    public init(certificateFile: String, keyFile: String, clientAuthoritiesFile: String? = nil)
        throws(VoltError)
    {
        self.certificateFile = certificateFile
        self.keyFile = keyFile
        self.clientAuthoritiesFile = clientAuthoritiesFile
        current = Mutex(
            try TLSContext(
                certificateFile: certificateFile, keyFile: keyFile,
                clientAuthoritiesFile: clientAuthoritiesFile))
    }

    /// Reads the files again; connections made before stay as they are.
    ///
    /// - Throws: as `init`; the certificate in use stays.
    public func reload() throws(VoltError) {
        let new = try TLSContext(
            certificateFile: certificateFile, keyFile: keyFile, clientAuthoritiesFile: clientAuthoritiesFile)
        current.withLock { $0 = new }
    }

    /// When the certificate ends.
    public var expiry: Timestamp { context.expiry }

    /// The context for the next connection.
    var context: TLSContext { current.withLock { $0 } }
}

/// An `SSL_CTX` with a certificate and its key.
///
/// The context is not changed after `init`, and `SSL_new` on it may be called by several threads at once
/// (openssl-threads(7)): that is why it may be shared.
final class TLSContext: @unchecked Sendable {
    let pointer: OpaquePointer
    let expiry: Timestamp

    init(certificateFile: String, keyFile: String, clientAuthoritiesFile: String?) throws(VoltError) {
        ERR_clear_error()
        guard let pointer = volt_tls_server() else {
            throw VoltError(.failed, "cannot set up TLS: \(TLSContext.reason)")
        }
        do throws(VoltError) {
            let certificate = try Self.bytes(certificateFile, what: "certificate", isSecret: false)
            expiry = try Self.add(certificate: certificate, of: certificateFile, to: pointer)
            let key = try Self.bytes(keyFile, what: "key", isSecret: true)
            try Self.add(key: key, of: keyFile, certificateFile: certificateFile, to: pointer)
            if let clientAuthoritiesFile {
                // Read for the errors of a file that is not there.
                _ = try Self.bytes(clientAuthoritiesFile, what: "certificate", isSecret: false)
                ERR_clear_error()
                guard volt_tls_ask_clients(pointer, clientAuthoritiesFile) == 1 else {
                    throw VoltError(
                        .usage,
                        "'\(clientAuthoritiesFile)' has no certificates of authorities: \(TLSContext.reason)",
                        hint: "it is a PEM file")
                }
            }
        } catch {
            SSL_CTX_free(pointer)
            throw error
        }
        self.pointer = pointer
    }

    deinit { SSL_CTX_free(pointer) }

    // MARK: The files

    /// 1 MiB: a chain has a few KB.
    private static let limit = 1 << 20

    private static func bytes(_ path: String, what: String, isSecret: Bool) throws(VoltError) -> [UInt8] {
        // Non-blocking, so that a named pipe does not hold up the start.
        let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
        func failure() -> VoltError {
            let reason = String(cString: strerror(errno)).lowercased()
            return VoltError(
                errno == ENOENT ? .notFound : errno == EACCES ? .refused : .failed,
                "cannot open the \(what) '\(path)': \(reason)")
        }
        guard descriptor >= 0 else { throw failure() }
        defer { close(descriptor) }
        var information = stat()
        guard fstat(descriptor, &information) == 0 else { throw failure() }
        guard information.st_mode & S_IFMT == S_IFREG else {
            throw VoltError(.usage, "the \(what) '\(path)' is not a file")
        }
        if isSecret, information.st_mode & 0o007 != 0 {
            throw VoltError(
                .refused, "the key '\(path)' is open to every user of this host",
                hint: "take the others' rights away: chmod o= '\(path)'")
        }
        var bytes: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 1 << 16)
        while true {
            let count = read(descriptor, &buffer, buffer.count)
            if count < 0, errno == EINTR { continue }
            guard count >= 0 else { throw failure() }
            if count == 0 { return bytes }
            bytes.append(contentsOf: buffer[..<count])
            guard bytes.count <= limit else {
                throw VoltError(.refused, "the \(what) '\(path)' is larger than \(limit >> 20) MiB")
            }
        }
    }

    private static func add(certificate bytes: [UInt8], of path: String, to context: OpaquePointer)
        throws(VoltError) -> Timestamp
    {
        let bio = BIO_new_mem_buf(bytes, Int32(bytes.count))
        defer { BIO_free(bio) }
        func bad(_ reason: String) -> VoltError {
            VoltError(
                .usage, "'\(path)' is not a certificate: \(reason)",
                hint: "it is a PEM file: the server's certificate first, then those between it and the root")
        }
        ERR_clear_error()
        guard let leaf = PEM_read_bio_X509_AUX(bio, nil, volt_tls_no_passphrase, nil) else {
            throw bad(volt_tls_is_end() == 1 ? "it has no 'BEGIN CERTIFICATE'" : reason)
        }
        defer { X509_free(leaf) }
        guard SSL_CTX_use_certificate(context, leaf) == 1 else { throw bad(reason) }
        while let next = PEM_read_bio_X509(bio, nil, volt_tls_no_passphrase, nil) {
            guard volt_tls_add_chain(context, next) == 1 else {
                X509_free(next)
                throw bad(reason)
            }
        }
        guard volt_tls_is_end() == 1 else { throw bad("of its chain, \(reason)") }
        ERR_clear_error()
        return Timestamp(milliseconds: volt_tls_end(leaf) * 1000)
    }

    private static func add(
        key bytes: [UInt8], of path: String, certificateFile: String, to context: OpaquePointer
    ) throws(VoltError) {
        let bio = BIO_new_mem_buf(bytes, Int32(bytes.count))
        defer { BIO_free(bio) }
        var asked: Int32 = 0
        ERR_clear_error()
        guard let key = PEM_read_bio_PrivateKey(bio, nil, volt_tls_no_passphrase, &asked) else {
            if asked == 1 {
                throw VoltError(
                    .usage, "the key '\(path)' has a passphrase",
                    hint: "write it without one: openssl pkey -in KEY -out NEW")
            }
            let isEnd = !String(decoding: bytes, as: UTF8.self).contains("PRIVATE KEY-----")
            throw VoltError(
                .usage, "'\(path)' is not a key: \(isEnd ? "it has no 'BEGIN PRIVATE KEY'" : reason)",
                hint: "it is a PEM file")
        }
        defer { EVP_PKEY_free(key) }
        guard SSL_CTX_use_PrivateKey(context, key) == 1, SSL_CTX_check_private_key(context) == 1 else {
            ERR_clear_error()
            throw VoltError(
                .usage, "the key '\(path)' does not belong to the certificate '\(certificateFile)'",
                hint: "give the key that the certificate was requested with")
        }
    }

    /// The words of OpenSSL for the last error of this thread.
    static var reason: String {
        let number = ERR_peek_last_error()
        guard number != 0, let text = ERR_reason_error_string(number) else { return "unknown reason" }
        return String(cString: text)
    }
}
