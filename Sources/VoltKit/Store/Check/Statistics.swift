internal import Glibc
internal import VoltCore
internal import VoltSystem

/// How much is in a store.
public struct StoreStatistics: Sendable, Codable {
    /// Of one sort of blob.
    public struct Part: Sendable, Codable, Equatable {
        /// How many there are.
        public var count = 0
        /// Bytes without compression and holes.
        public var bytes: UInt64 = 0
        /// Bytes on disk.
        public var stored: UInt64 = 0
    }

    /// Bytes of the files of all tagged trees and of tagged blobs, each as often as it is named.
    public var logical: UInt64 = 0
    /// Whole files.
    public var bare = Part()
    /// Pieces in packs.
    public var packed = Part()
    /// How packed blobs are put together.
    public var recipes = Part()
    /// Files of packs.
    public var packs = 0
    /// Bytes of the packs.
    public var packBytes: UInt64 = 0
    /// Files of the index.
    public var indexSegments = 0
    /// Bytes of the index.
    public var indexBytes: UInt64 = 0
    /// Names.
    public var tags = 0
    /// Leases, those that are over among them.
    public var leases = 0
    /// Tags of trees that cannot be read; their files are not in `logical`.
    public var unreadable: [UnreadableTree] = []
    /// Bytes of blobs without those that are in the store twice.
    public var unique: UInt64 { bare.bytes + packed.bytes }
    /// Bytes of all files of the store.
    public var stored: UInt64 { bare.stored + packBytes + indexBytes }
}

extension ContentStore {
    /// Counts what is in the store.
    public func statistics() throws -> StoreStatistics {
        var result = StoreStatistics()
        var information = stat()
        for name in try Files.list(layout.packs) where stat("\(layout.packs)/\(name)", &information) == 0 {
            result.packs += 1
            result.packBytes += UInt64(information.st_size)
        }
        for path in try index.paths() where stat(path, &information) == 0 {
            result.indexSegments += 1
            result.indexBytes += UInt64(information.st_size)
        }
        var entries = try SortedMerge(index.current())
        var last: BinaryDigest?
        while let entry = try entries.next() {
            if entry.digest == last { continue }
            last = entry.digest
            switch entry.kind {
            case .data:
                result.packed.count += 1
                result.packed.bytes = result.packed.bytes.addingClamped(entry.length)
                result.packed.stored += UInt64(entry.stored)
            case .recipe:
                result.recipes.count += 1
                result.recipes.bytes = result.recipes.bytes.addingClamped(entry.length)
                result.recipes.stored += UInt64(entry.stored)
            }
        }
        for directory in try Files.list(layout.objects) {
            for name in try Files.list("\(layout.objects)/\(directory)")
            where lstat("\(layout.objects)/\(directory)/\(name)", &information) == 0 {
                result.bare.count += 1
                result.bare.bytes += UInt64(information.st_size)
                result.bare.stored += UInt64(information.st_blocks) * 512
            }
        }
        for tag in try tags() {
            result.tags += 1
            guard tag.kind == .tree else {
                result.logical = result.logical.addingClamped((try? size(of: tag.digest)) ?? 0)
                continue
            }
            var bytes: UInt64 = 0
            do {
                try eachEntry(of: tag.digest) { _, entry in
                    if case .file(let size, _) = entry.kind { bytes = bytes.addingClamped(size) }
                }
            } catch let error as VoltError {
                result.unreadable.append(
                    UnreadableTree(root: "tag '\(tag.name)'", digest: tag.digest, reason: error.message))
                continue
            }
            result.logical = result.logical.addingClamped(bytes)
        }
        result.leases = try leases().count
        return result
    }
}
