internal import Glibc
internal import VoltStore

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
        atexit { system("rm -rf /tmp/volt-fuzz-store-\(getpid())") }
        return path
    }()

    /// What another store says to `serve`.
    static let storeWire = FuzzTarget(
        name: "store-wire", words: ["VOLTWIRE\u{1}", "REC1", "\u{1}\0\0\0\u{c}", "\u{21}\0\0\0\u{2}"]
    ) { bytes throws(FuzzFailure) in
        let isSound = (try? ForeignBytes.serve(bytes, storeIn: store)) ?? false
        try require(isSound, "a store that is damaged by what another says")
    }
}
