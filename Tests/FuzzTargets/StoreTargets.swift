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
}
