internal import Glibc
internal import VoltArchive
internal import VoltCore
internal import VoltStore
internal import VoltSystem

extension FuzzTarget {
    /// A tree of a store: what is read is written again as it was, since a tree has one form.
    static let storeTree = FuzzTarget(
        name: "store-tree", words: ["VOLTTREE\u{1}", "\0", "\u{1}\0", "..", "/", "user.x", "\u{7f}"]
    ) { bytes throws(FuzzFailure) in
        for count in [1 << 20, 5] {
            guard let again = ForeignBytes.rewrittenTree(bytes, inPartsOf: count) else { continue }
            try require(again == bytes, "a tree that is written in another form than it was read")
        }
    }

    /// Packs, segments of the index and recipes.
    static let storeFiles = FuzzTarget(
        name: "store-files", words: ["VOLTPACK", "VOLTINDX", "REC1", "\u{1}\0\0\0"]
    ) {
        bytes throws(FuzzFailure) in
        try require(ForeignBytes.count(bytes) <= bytes.count / 48 + 1, "more records than there is room for")
    }

    /// A store that the inputs of this process talk to.
    private static let store: String = {
        let path = "/tmp/volt-fuzz-store-\(getpid())"
        atexit { system("rm -rf /tmp/volt-fuzz-store-\(getpid()) /tmp/volt-fuzz-store-\(getpid())-tar") }
        return path
    }()

    /// What another store says to `serve`.
    static let storeWire = FuzzTarget(
        name: "store-wire", words: ["VOLTWIRE\u{1}", "REC1", "\u{1}\0\0\0\u{c}", "\u{21}\0\0\0\u{2}"]
    ) { bytes throws(FuzzFailure) in
        let isSound = (try? ForeignBytes.serve(bytes, storeIn: store)) ?? false
        try require(isSound, "a store that is damaged by what another says")
    }

    /// A tar archive: whatever it says, it stays below its directory, which is removed again whatever is in it.
    static let tar = FuzzTarget(
        name: "tar",
        words: [
            "ustar\u{0}00", "../", "/", "\u{0}\u{0}\u{0}\u{0}\u{0}\u{0}\u{0}", "0000644", "path=",
            "SCHILY.xattr.user.x=",
        ]
    ) { bytes throws(FuzzFailure) in
        let place = "\(store)-tar"
        var pair: [Int32] = [-1, -1]
        guard bytes.count <= 1 << 16, pipe(&pair) == 0 else { return }
        _ = bytes.withUnsafeBytes { write(pair[1], $0.baseAddress, $0.count) }
        close(pair[1])
        defer { close(pair[0]) }
        var options = UnpackOptions()
        options.isLayer = bytes.count % 2 == 0
        do throws(VoltError) { try Files.makeDirectory("\(place)/in") } catch { return }
        var limits = ArchiveLimits()
        limits.bytes = 1 << 30
        do throws(VoltError) {
            _ = try Tar.unpack(
                descriptor: pair[0], name: "bytes", into: "\(place)/in", limits: limits, options: options)
        } catch {}
        let names = (try? Files.list(place)) ?? []
        try require(names == ["in"], "an archive that leads out of its directory: \(names)")
        let isGone = (try? Files.removeTree("\(place)/in")) != nil
        try require(isGone, "an unpacked archive that cannot be removed")
    }
}
