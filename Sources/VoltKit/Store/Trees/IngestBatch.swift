internal import Dispatch
internal import Glibc
internal import VoltCore

/// Some names of a walk in their order. One thread at a time has it: the scanner, then a worker, then the one that
/// writes the tree.
final class IngestBatch: @unchecked Sendable {
    /// A batch is handed on when its files have so many bytes.
    static let fullBytes = 1 << 20
    /// A batch is handed on when it has so many names.
    static let fullCount = 1024

    struct Item {
        var event: TreeDecoder.Event
        /// From the root, with a zero at its end; empty when there is nothing to read.
        var path: [UInt8] = []
        /// What the file was when it was scanned.
        var stamp = FileStamp()
        /// Whether the content is known from the last ingest.
        var isKnown = false
        /// Why it cannot be in the tree.
        var failure: VoltError?
        /// Why its extended attributes cannot be.
        var attributesFailure: VoltError?
        /// Names of its extended attributes that a tree does not have.
        var dropped: [[UInt8]] = []
        /// The path of what has them.
        var place: [UInt8] = []
        /// Of a second name of a file: that file, for when the first name is left out.
        var file: TreeEntry?
        /// The path of that file.
        var filePath: [UInt8] = []
    }

    var items: [Item] = []
    /// The bytes of the files to read.
    var bytes: UInt64 = 0
    var failure: (any Error)?
    let done = DispatchSemaphore(value: 0)

    var isFull: Bool { bytes >= UInt64(Self.fullBytes) || items.count >= Self.fullCount }
}

/// What says that a file is the one that was seen, and unchanged.
struct FileStamp: Equatable {
    var device: UInt64 = 0
    var inode: UInt64 = 0
    var size: UInt64 = 0
    var changed: Int64 = 0
    var changedNanoseconds: UInt32 = 0
    var modified: Int64 = 0
    var modifiedNanoseconds: UInt32 = 0

    init() {}

    init(_ information: stat) {
        device = UInt64(information.st_dev)
        inode = UInt64(information.st_ino)
        size = UInt64(information.st_size)
        changed = Int64(information.st_ctim.tv_sec)
        changedNanoseconds = UInt32(information.st_ctim.tv_nsec)
        modified = Int64(information.st_mtim.tv_sec)
        modifiedNanoseconds = UInt32(information.st_mtim.tv_nsec)
    }
}
