internal import VoltCore
internal import VoltSystem

/// Where the files of a store are.
///
///     format            the version of this layout
///     objects/ab/cd…    bare blobs, whole files by the hex digits of their digests
///     packs/X.pack      packed blobs; X is the number of the pack in 16 hex digits
///     index/X.idx       where each packed blob is
///     tags/NAME         names of blobs; with leases, what gc keeps
///     leases/X          what a running operation needs, until a time
///     references/       directories of owners; a file `sha256:HEX` anywhere in them keeps that blob
///     sessions/X/       the private area of a writer; the file `lock` in it is locked while it lives
///     cache/            what can be made again: what was seen at the last ingest, images of trees to mount
///     quarantine/       what was found damaged
///     locks/            `sweep`: shared by who relies on an object that is there, alone for who removes some
struct StoreLayout: Sendable, Equatable {
    /// 2 has references.
    static let version = 2
    let root: String

    var format: String { "\(root)/format" }
    var objects: String { "\(root)/objects" }
    var packs: String { "\(root)/packs" }
    var index: String { "\(root)/index" }
    var tags: String { "\(root)/tags" }
    var leases: String { "\(root)/leases" }
    var references: String { "\(root)/references" }
    var sessions: String { "\(root)/sessions" }
    var cache: String { "\(root)/cache" }
    var quarantine: String { "\(root)/quarantine" }
    var sweepLock: String { "\(root)/locks/sweep" }
    var indexLock: String { "\(root)/locks/index" }

    func object(_ digest: BinaryDigest) -> String {
        let hex = digest.hex
        return "\(objects)/\(hex.prefix(2))/\(hex.dropFirst(2))"
    }

    func pack(_ number: UInt64) -> String { "\(packs)/\(Self.name(number)).pack" }

    /// 16 hex digits.
    static func name(_ number: UInt64) -> String {
        let text = String(number, radix: 16)
        return String(repeating: "0", count: 16 - text.count) + text
    }

    /// The number in a file's name, or nil.
    static func number(_ name: String, suffix: String) -> UInt64? {
        guard name.hasSuffix(suffix), name.utf8.count == 16 + suffix.utf8.count else { return nil }
        return UInt64(name.dropLast(suffix.count), radix: 16)
    }
}
