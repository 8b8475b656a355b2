internal import Glibc
internal import Synchronization
internal import VoltCore
internal import VoltSystem

/// The segments of the index of a store, as they are now.
final class IndexSet: Sendable {
    private struct State {
        var segments: [IndexSegment] = []
        var stamp: Stamp?
    }

    /// Tells whether the directory changed since it was read.
    private struct Stamp: Equatable {
        var seconds: Int
        var nanoseconds: Int
        var inode: UInt64
    }

    private let layout: StoreLayout
    private let state = Mutex(State())

    init(_ layout: StoreLayout) { self.layout = layout }

    /// The entry of a digest, or nil.
    func entry(_ digest: BinaryDigest) throws -> IndexEntry? {
        for segment in try current() { if let entry = try segment.entry(digest) { return entry } }
        return nil
    }

    /// All entries of a digest: any of them will do.
    func entries(_ digest: BinaryDigest) throws -> [IndexEntry] {
        try current().compactMap { try $0.entry(digest) }
    }

    /// The segments, read again when there are others than before.
    func current() throws -> [IndexSegment] {
        try state.withLock { state in
            let stamp = try readStamp()
            if stamp == state.stamp { return state.segments }
            var open: [String: IndexSegment] = [:]
            for segment in state.segments { open[segment.path] = segment }
            var tries = 0
            while true {
                do {
                    state.segments = try paths().map { try open[$0] ?? IndexSegment($0) }
                    break
                } catch let error as VoltError where error.code == .notFound && tries < 100 {
                    // It was merged into another one just now.
                    tries += 1
                }
            }
            // What changes after the stamp was taken is seen the next time, unless the clock of the file system
            // stood still: then the stamp is not trusted.
            var now = timespec()
            clock_gettime(CLOCK_REALTIME_COARSE, &now)
            let isOld = now.tv_sec > stamp.seconds || now.tv_nsec > stamp.nanoseconds + 20_000_000
            state.stamp = isOld ? stamp : nil
            return state.segments
        }
    }

    func paths() throws -> [String] {
        try Files.list(layout.index).filter { StoreLayout.number($0, suffix: ".idx") != nil }.map {
            "\(layout.index)/\($0)"
        }
    }

    private func readStamp() throws -> Stamp {
        var information = stat()
        guard stat(layout.index, &information) == 0 else {
            throw SystemError.current.during("cannot read '\(layout.index)'")
        }
        return Stamp(
            seconds: information.st_mtim.tv_sec, nanoseconds: information.st_mtim.tv_nsec,
            inode: UInt64(information.st_ino))
    }

    /// Gives a finished segment its name.
    ///
    /// - Parameter path: the file, durable, on the file system of the store.
    func publish(_ path: String) throws {
        let name = "\(layout.index)/\(StoreLayout.name(UInt64.random(in: 1...UInt64.max))).idx"
        guard rename(path, name) == 0 else { throw SystemError.current.during("cannot write '\(name)'") }
        try Files.syncDirectory(layout.index)
    }
}
