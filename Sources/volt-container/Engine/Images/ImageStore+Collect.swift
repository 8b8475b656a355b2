public import VoltCore
internal import VoltSystem

extension ImageStore {
    /// Held by everything that puts layers into the store, until an image refers to them.
    var useLockPath: String { "\(root)/use.lock" }

    /// Removes what nothing needs: images without a name that no container uses, layers of no image, and what
    /// a process that died left behind. Does nothing while an import or a build is under way.
    ///
    /// - Parameters:
    ///   - inUse: the digests of the images that containers use.
    ///   - grace: what is younger stays: an image without a name, and the steps of a build that failed and may
    ///     be tried again soon.
    /// - Returns: the bytes freed.
    @discardableResult
    public func collect(inUse: Set<Digest>, grace: Duration = .seconds(3600)) throws(VoltError) -> UInt64 {
        guard Files.exists("\(root)/format"), let alone = try FileLock.tryLock(useLockPath) else { return 0 }
        let dead = try locked { () throws(VoltError) -> Dead in
            let named = Set(try readNames().values)
            var needed: Set<Digest> = []
            for digest in try manifestDigests() {
                guard let manifest = try manifest(digest) else { continue }
                let isFresh = clock.now().since(manifest.created) < grace
                if named.contains(digest) || inUse.contains(digest) || isFresh {
                    needed.formUnion(manifest.layers)
                } else {
                    try Files.remove("\(root)/manifests/\(digest.hex).json")
                }
            }
            try forgetPulled()
            return try removeLayers(except: needed, grace: grace)
        }
        for path in dead.paths { try Files.removeTree(path) }
        // Nobody else writes now: private areas of writers are those of dead ones, and so are temporary directories, whose
        // owners may have left more.
        let sessions = try Files.list("\(root)/store/sessions")
        let hasLeftovers = !dead.paths.isEmpty || !sessions.isEmpty
        let freed = dead.isAnyTree || hasLeftovers ? try collectTrees(grace: grace) : 0
        alone.keep()
        return dead.bytes + freed
    }

    private struct Dead {
        /// What is to be removed without the lock.
        var paths: [String] = []
        /// The bytes of the directories among them.
        var bytes: UInt64 = 0
        var isAnyTree = false
    }

    /// Takes layers out of their names; the trees themselves are removed afterwards, without the lock.
    private func removeLayers(except needed: Set<Digest>, grace: Duration) throws(VoltError) -> Dead {
        var dead = Dead()
        let names = Set(
            try Files.list("\(root)/layers").map { $0.hasSuffix(".json") ? String($0.dropLast(5)) : $0 })
        for name in names.sorted() {
            guard let layer = try? Digest("sha256:\(name)"), !needed.contains(layer) else { continue }
            let information = try? layerInformation(layer)
            if let made = information?.created, clock.now().since(made) < grace { continue }
            if information?.tree != nil { dead.isAnyTree = true }
            if Files.exists(layerPath(layer)) {
                dead.bytes += information?.size ?? 0
                try Files.move(
                    layerPath(layer), "\(root)/tmp/dead-\(name)-\(UInt32.random(in: 0...UInt32.max))")
            }
            try Files.remove("\(layerPath(layer)).json")
        }
        dead.paths = try Files.list("\(root)/tmp").map { "\(root)/tmp/\($0)" }
        return dead
    }
}

extension ImageStore {
    /// The beginning of the names by which workloads keep images.
    static let pinPrefix = "volt-workload/"

    /// Names the image of a workload's generation, so that it stays.
    func pin(_ image: Digest, for workload: Name, generation: Int) throws(VoltError) {
        try changePins { $0["\(Self.pinPrefix)\(workload):\(generation)"] = image }
    }

    /// Drops the names of a workload's generations.
    ///
    /// - Parameters:
    ///   - generations: those whose names stay.
    ///   - count: how many of the newest stay besides.
    func unpin(_ workload: Name, except generations: Set<Int>, newest count: Int) throws(VoltError) {
        guard Files.exists("\(root)/names.json") else { return }
        let prefix = "\(Self.pinPrefix)\(workload):"
        try changePins { names in
            let mine = names.keys.filter { $0.hasPrefix(prefix) }
                .map { (name: $0, generation: Int($0.dropFirst(prefix.count)) ?? 0) }
                .sorted { $0.generation > $1.generation }
            for pin in mine.dropFirst(count) where !generations.contains(pin.generation) {
                names[pin.name] = nil
            }
        }
    }

    private func changePins(_ change: (inout [String: Digest]) -> Void) throws(VoltError) {
        try locked { () throws(VoltError) in
            let before = try readNames()
            var names = before
            change(&names)
            if names != before { try JSONFile.write(names, "\(root)/names.json") }
        }
    }
}
