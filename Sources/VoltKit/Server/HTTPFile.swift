internal import Glibc
internal import NIOCore
internal import Synchronization

/// A part of an open file, sent by the kernel where the connection is not encrypted.
public final class HTTPFile: Sendable {
    private let opened: OpenFile
    let offset: UInt64
    /// The bytes to send.
    public let count: UInt64
    /// How far the file is, when somebody still writes to it.
    let growth: HTTPGrowth?
    /// Counts what the kernel took of it.
    let meter: Meter?

    /// - Parameters:
    ///   - descriptor: closed with the last user of this value.
    ///   - offset: where it begins.
    ///   - count: its bytes, which the file must have, or get.
    ///   - growth: says how much of it is there; nil when all is.
    public init(descriptor: Int32, offset: UInt64, count: UInt64, growth: HTTPGrowth? = nil) {
        opened = OpenFile(descriptor)
        self.offset = offset
        self.count = count
        self.growth = growth
        meter = nil
    }

    private init(_ whole: HTTPFile, _ ended: @escaping @Sendable (UInt64) -> Void) {
        opened = whole.opened
        offset = whole.offset
        count = whole.count
        growth = whole.growth
        meter = Meter(ended)
    }

    private init(_ whole: HTTPFile, _ part: Range<UInt64>) {
        opened = whole.opened
        offset = whole.offset + part.lowerBound
        count = part.upperBound - part.lowerBound
        growth = whole.growth
        meter = nil
    }

    /// The same file; once nobody sends it any more, the argument is called with the bytes of it that were sent.
    public func metered(_ ended: @escaping @Sendable (UInt64) -> Void) -> HTTPFile { HTTPFile(self, ended) }

    /// A part of this part.
    public func part(_ range: Range<UInt64>) -> HTTPFile { HTTPFile(self, range) }

    var handle: NIOFileHandle { opened.handle }

    /// Reads what is there from an offset of the whole file on, as much as there is room for; how much it was.
    func read(_ offset: Int, _ room: UnsafeMutableRawBufferPointer) -> Int {
        var done = 0
        let result: Void? = try? handle.withUnsafeFileDescriptor { descriptor in
            while done < room.count {
                let count = pread(
                    descriptor, room.baseAddress?.advanced(by: done), room.count - done, off_t(offset + done))
                if count < 0, errno == EINTR { continue }
                if count <= 0 { return }
                done += count
            }
        }
        return result == nil ? 0 : done
    }

    /// The bytes that were sent of a file; the sum is reported when its last user is gone.
    final class Meter: Sendable {
        private let sent = Mutex<UInt64>(0)
        private let ended: @Sendable (UInt64) -> Void

        init(_ ended: @escaping @Sendable (UInt64) -> Void) { self.ended = ended }

        func add(_ count: UInt64) { sent.withLock { $0 += count } }

        deinit { ended(sent.withLock { $0 }) }
    }
}

/// A descriptor, closed with its last user.
private final class OpenFile: Sendable {
    let handle: NIOFileHandle

    init(_ descriptor: Int32) {
        // Named so because NIO wants files to be opened by itself; there is no other one for a descriptor.
        handle = NIOFileHandle(_deprecatedTakingOwnershipOfDescriptor: descriptor)
    }

    deinit { try? handle.close() }
}

/// How far a file is that is sent while somebody writes to it.
public final class HTTPGrowth: Sendable {
    private enum State {
        /// So many bytes are there; who waits for one more.
        case growing(UInt64, [@Sendable () -> Void])
        case broken
    }

    /// What there is behind an offset.
    enum Reach {
        case end(UInt64)
        case later
        case never
    }

    private let state = Mutex(State.growing(0, []))

    /// Nothing is there.
    public init() {}

    /// Says how many bytes of the file may be sent.
    public func reach(_ count: UInt64) {
        wake { state in
            guard case .growing(let old, let waiting) = state, count > old else { return [] }
            state = .growing(count, [])
            return waiting
        }
    }

    /// Says that no more will come: who waits for it loses the connection.
    public func fail() {
        wake { state in
            guard case .growing(_, let waiting) = state else { return [] }
            state = .broken
            return waiting
        }
    }

    private func wake(_ body: (inout sending State) -> [@Sendable () -> Void]) {
        for call in state.withLock({ body(&$0) }) { call() }
    }

    /// Where the bytes end for now that are behind an offset; if there are none yet, the argument is called once there are.
    func reach(beyond offset: UInt64, _ wake: @escaping @Sendable () -> Void) -> Reach {
        state.withLock { state in
            guard case .growing(let count, let waiting) = state else { return .never }
            if count > offset { return .end(count) }
            state = .growing(count, waiting + [wake])
            return .later
        }
    }
}
