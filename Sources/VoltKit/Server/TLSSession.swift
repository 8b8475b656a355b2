internal import CTLS
internal import NIOCore

/// One TLS connection between two memories: what the network sent goes in, what it shall get comes out.
///
/// It belongs to the event loop of its connection.
final class TLSSession {
    /// What reading gave.
    enum Reading {
        /// So many bytes are in the buffer.
        case bytes(Int)
        /// Nothing until the network brings more.
        case starved
        /// The peer said that it sends no more.
        case ended
        /// The stream is broken; the reason.
        case failed(String)
    }

    private let session: OpaquePointer
    private let input: OpaquePointer
    private let output: OpaquePointer
    /// After a fatal error nothing may be said, not even the end (SSL_shutdown(3)).
    private var isBroken = false

    /// Nil when memory is short.
    init?(_ context: TLSContext) {
        guard let session = SSL_new(context.pointer) else { return nil }
        guard let input = BIO_new(BIO_s_mem()) else {
            SSL_free(session)
            return nil
        }
        guard let output = BIO_new(BIO_s_mem()) else {
            BIO_free(input)
            SSL_free(session)
            return nil
        }
        SSL_set_bio(session, input, output)
        SSL_set_accept_state(session)
        self.session = session
        self.input = input
        self.output = output
    }

    // Frees the two memories, too.
    deinit { SSL_free(session) }

    /// The common name of the client's certificate, when it showed one that was verified.
    var clientName: String? {
        var name = [UInt8](repeating: 0, count: 256)
        let count = name.withUnsafeMutableBytes {
            volt_tls_client_name(session, $0.baseAddress?.assumingMemoryBound(to: CChar.self), 256)
        }
        return count > 0 ? String(validating: name[..<Int(count)], as: UTF8.self) : nil
    }

    /// Takes what the network sent.
    func feed(_ buffer: ByteBuffer) -> Bool {
        buffer.withUnsafeReadableBytes { bytes in
            bytes.isEmpty || BIO_write(input, bytes.baseAddress, Int32(bytes.count)) == bytes.count
        }
    }

    /// What the network shall get, nil for nothing.
    func drain(_ allocator: ByteBufferAllocator) -> ByteBuffer? {
        let count = BIO_ctrl_pending(output)
        guard count > 0 else { return nil }
        var buffer = allocator.buffer(capacity: count)
        buffer.writeWithUnsafeMutableBytes(minimumWritableBytes: count) { bytes in
            Int(max(0, BIO_read(output, bytes.baseAddress, Int32(count))))
        }
        return buffer
    }

    /// Goes on with the handshake: `bytes(0)` when it is over.
    func handshake() -> Reading {
        ERR_clear_error()
        let result = SSL_do_handshake(session)
        return result == 1 ? .bytes(0) : reading(of: result)
    }

    /// Reads decrypted bytes into a buffer.
    func read(into buffer: inout ByteBuffer) -> Reading {
        ERR_clear_error()
        var result: Int32 = 0
        buffer.writeWithUnsafeMutableBytes(minimumWritableBytes: 1 << 14) { bytes in
            result = SSL_read(session, bytes.baseAddress, Int32(clamping: bytes.count))
            return Int(max(0, result))
        }
        return result > 0 ? .bytes(Int(result)) : reading(of: result)
    }

    /// Encrypts bytes, all of them; false when the stream is broken.
    func write(_ buffer: inout ByteBuffer) -> Bool {
        while buffer.readableBytes > 0, !isBroken {
            ERR_clear_error()
            let count = buffer.withUnsafeReadableBytes { bytes in
                SSL_write(session, bytes.baseAddress, Int32(clamping: bytes.count))
            }
            guard count > 0 else {
                // The memory takes everything, so there is nothing to wait for.
                isBroken = true
                return false
            }
            buffer.moveReaderIndex(forwardBy: Int(count))
        }
        return !isBroken
    }

    /// Tells the peer that nothing more comes.
    func finish() {
        guard !isBroken, SSL_is_init_finished(session) == 1 else { return }
        ERR_clear_error()
        _ = SSL_shutdown(session)
    }

    private func reading(of result: Int32) -> Reading {
        switch SSL_get_error(session, result) {
        case SSL_ERROR_WANT_READ, SSL_ERROR_WANT_WRITE: return .starved
        case SSL_ERROR_ZERO_RETURN: return .ended
        default:
            isBroken = true
            return .failed(TLSContext.reason)
        }
    }
}
