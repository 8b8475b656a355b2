internal import ContainerSandbox
internal import VoltCore
internal import VoltStore
internal import VoltSystem

/// What is known about a layer.
struct LayerInformation: Codable, Sendable {
    /// The bytes of its files.
    var size: UInt64
    /// Entries that were left out because they are not safe, such as device nodes.
    var skipped: Int
    /// When it was made.
    var created: Timestamp
    /// The tree of the content store that it is, or nil for a directory.
    var tree: Digest?
    /// What registries have, or had, that unpacks to it.
    var blobs: [LayerBlob]?
}

extension ImageStore {
    /// The content store with the files of the layers: bare, so that they are mounted as they are.
    func contents() throws(VoltError) -> ContentStore {
        try Self.inStore { try ContentStore.create("\(root)/store") }
    }

    /// The body with the errors of the content store as those of this one.
    static func inStore<Result>(_ body: () throws -> Result) throws(VoltError) -> Result {
        do { return try body() } catch {
            if let error = error as? VoltError { throw error }
            if let error = error as? SystemError { throw error.during("cannot use the store of the layers") }
            throw VoltError(.failed, "cannot use the store of the layers: \(error)")
        }
    }

    /// The directory of a layer where layers are no trees.
    func layerPath(_ layer: Digest) -> String { "\(root)/layers/\(layer.hex)" }

    func hasLayer(_ layer: Digest) -> Bool {
        (try? layerInformation(layer)).map { isThere(layer, $0) } ?? false
    }

    /// The information of a directory is there before it is whole, that of a tree afterwards.
    private func isThere(_ layer: Digest, _ information: LayerInformation) -> Bool {
        information.tree != nil || Files.isDirectory(layerPath(layer))
    }

    func layerInformation(_ layer: Digest) throws(VoltError) -> LayerInformation {
        try JSONFile.read(LayerInformation.self, "\(layerPath(layer)).json")
    }

    func layerSize(_ layer: Digest) throws(VoltError) -> UInt64 { try layerInformation(layer).size }

    /// What a container mounts for a layer: the digest of its tree, or its directory.
    func lower(_ layer: Digest) -> String {
        (try? layerInformation(layer))?.tree?.description ?? layerPath(layer)
    }

    /// Layers as one tree, as overlayfs would show them.
    ///
    /// - Parameter layers: the lowest first.
    func view(_ layers: [Digest]) throws(VoltError) -> MergedView {
        try view(lowers: layers.reversed().map(lower))
    }

    /// - Parameter lowers: the topmost first, as `lower` gives them.
    func view(lowers: [String]) throws(VoltError) -> MergedView {
        var layers: [MergedView.Layer] = []
        for lower in lowers {
            guard let tree = try? Digest(lower) else {
                layers.append(.directory(lower))
                continue
            }
            let contents = try contents()
            layers.append(.tree(try Self.inStore { try TreeImage(contents, tree) }))
        }
        return MergedView(layers: layers)
    }

    /// How the helper mounts layers; the images of the names of trees are made when they are not there.
    func mounts(of lowers: [String]) throws(VoltError) -> LayerMounts {
        var mounts = LayerMounts()
        for lower in lowers {
            guard let tree = try? Digest(lower) else {
                mounts.layers.append(.directory(lower))
                continue
            }
            let contents = try contents()
            mounts.layers.append(.names(try Self.inStore { try contents.prepareMount(of: tree) }))
            mounts.objects = contents.objects
        }
        return mounts
    }

    /// A fresh directory below tmp, on the file system of the layers.
    func makeTemporary() throws(VoltError) -> String {
        try prepare()
        let path = "\(root)/tmp/\(UInt64.random(in: 0...UInt64.max))"
        try Files.makeDirectory(path, mode: 0o755)
        return path
    }

    /// Gives an unpacked directory its name as a layer; it is durable and whole when this returns, and the directory
    /// is gone.
    func adopt(_ directory: String, as layer: Digest, information: LayerInformation) throws(VoltError) {
        if hasLayer(layer) { return try Files.removeTree(directory) }
        let known = knownLayerForm()
        if known?.isTrees ?? true {
            var options = IngestOptions()
            options.representation = .bare
            options.keepsOverlayMarks = true
            options.usesCache = false
            // It may turn out that the directory is needed.
            options.consumes = known != nil
            let contents = try contents()
            let tag = Self.tag(of: layer)
            let tree = try Self.inStore { try contents.addTree(directory, options: options, tag: tag).digest }
            if try layerForm(trying: tree).isTrees {
                var information = information
                information.tree = tree
                try JSONFile.write(information, "\(layerPath(layer)).json")
                return try Files.removeTree(directory)
            }
            try Self.inStore { try contents.removeTag(tag) }
        }
        try Files.syncTree(directory)
        try locked { () throws(VoltError) in
            if hasLayer(layer) { return try Files.removeTree(directory) }
            try JSONFile.write(information, "\(layerPath(layer)).json")
            try Files.move(directory, layerPath(layer))
            try Files.syncDirectory("\(root)/layers")
        }
    }

    /// Keeps the tree of a layer from being collected as garbage.
    static func tag(of layer: Digest) -> String { "\(tagPrefix)\(layer.hex)" }
    private static let tagPrefix = "layers/"

    /// Lets the trees go that are no layers, and removes their files.
    ///
    /// - Returns: the bytes freed.
    func collectTrees(grace: Duration) throws(VoltError) -> UInt64 {
        guard Files.exists("\(root)/store") else { return 0 }
        let contents = try contents()
        return try Self.inStore {
            for tag in try contents.tags() {
                // Nobody pushes now: it is one that was killed.
                if tag.name.hasPrefix(Self.pushPrefix) { try contents.removeTag(tag.name) }
                guard tag.name.hasPrefix(Self.tagPrefix) else { continue }
                let layer = try Digest("sha256:\(tag.name.dropFirst(Self.tagPrefix.count))")
                if !hasLayer(layer) { try contents.removeTag(tag.name) }
            }
            do { return try contents.collectGarbage(grace: grace).freed } catch let error as VoltError
                where error.code == .tryAgain
            {
                // Another one is under way.
                return 0
            }
        }
    }
}
