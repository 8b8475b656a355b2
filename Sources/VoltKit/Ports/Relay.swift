internal import CVoltSystem
internal import Glibc

/// One direction of a connection: what was read and is not written yet. Nothing more is read before it is.
struct Flow {
    /// Bytes read at once; also the most that one direction holds.
    static let capacity = 64 << 10
    private var pending: [UInt8] = []
    private var offset = 0
    /// The sender has ended its side.
    private(set) var ended = false
    /// The end was passed on.
    private(set) var finished = false

    var isEmpty: Bool { offset == pending.count }

    /// Moves what is possible from one socket to the other.
    ///
    /// - Parameter buffer: shared by all connections; bytes are only kept when they cannot be written.
    /// - Returns: false when the connection broke.
    mutating func move(from source: Int32, to target: Int32, buffer: UnsafeMutableRawBufferPointer) -> Bool {
        // A bound on one turn, so that a fast connection does not starve the others.
        for _ in 0..<8 {
            if !isEmpty {
                let count = pending.withUnsafeBytes {
                    send(target, $0.baseAddress?.advanced(by: offset), $0.count - offset, Int32(MSG_NOSIGNAL))
                }
                if count < 0 { return errno == EAGAIN || errno == EINTR }
                offset += count
                guard isEmpty else { return true }
                pending = []
                offset = 0
            }
            if ended {
                if !finished {
                    finished = true
                    shutdown(target, Int32(SHUT_WR))
                }
                return true
            }
            let count = recv(source, buffer.baseAddress, buffer.count, 0)
            if count < 0 { return errno == EAGAIN || errno == EINTR }
            if count == 0 {
                ended = true
                continue
            }
            let sent = send(target, buffer.baseAddress, count, Int32(MSG_NOSIGNAL))
            if sent < 0, errno != EAGAIN, errno != EINTR { return false }
            if sent < count {
                pending = Array(UnsafeRawBufferPointer(rebasing: buffer[max(0, sent)..<count]))
                offset = 0
                return true
            }
        }
        return true
    }
}

/// A client's connection and the one into the container that belongs to it.
final class Relay {
    let client: Int32
    var inner: Int32
    /// Whether the connection into the container is still being made.
    var isConnecting: Bool
    /// Whether the IPv6 loopback was tried, too.
    var triedIPv6 = false
    /// Where it goes.
    let port: UInt16
    let namespace: Namespace
    private var inward = Flow()
    private var outward = Flow()
    private var lastMoved = ContinuousClock.now

    init(client: Int32, inner: Int32, isConnecting: Bool, port: UInt16, namespace: Namespace) {
        self.client = client
        self.inner = inner
        self.isConnecting = isConnecting
        self.port = port
        self.namespace = namespace
    }

    deinit {
        close(client)
        if inner >= 0 { close(inner) }
    }

    /// Moves bytes both ways; false when the connection is over.
    func move(buffer: UnsafeMutableRawBufferPointer) -> Bool {
        guard inward.move(from: client, to: inner, buffer: buffer),
            outward.move(from: inner, to: client, buffer: buffer)
        else { return false }
        lastMoved = .now
        return !(inward.finished && outward.finished)
    }

    /// Whether bytes wait, or moved a moment ago.
    var isBusy: Bool {
        isConnecting || !inward.isEmpty || !outward.isEmpty || .now - lastMoved < .milliseconds(200)
    }
}

/// The network namespace of a container, held open.
final class Namespace {
    let descriptor: Int32
    /// The number that the kernel gives the namespace (namespaces(7)).
    let inode: UInt64

    init(descriptor: Int32) {
        self.descriptor = descriptor
        var information = stat()
        inode = fstat(descriptor, &information) == 0 ? UInt64(information.st_ino) : 0
    }

    deinit { close(descriptor) }
}
