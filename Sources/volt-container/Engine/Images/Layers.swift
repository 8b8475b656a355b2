internal import VoltCore
internal import VoltSystem

/// What is known about a layer.
struct LayerInformation: Codable, Sendable {
    /// The bytes of its files.
    var size: UInt64
    /// Entries that were left out because they are not safe, such as device nodes.
    var skipped: Int
    /// When it was made.
    var created: Timestamp
}

extension ImageStore {
    func layerInformation(_ layer: Digest) throws(VoltError) -> LayerInformation {
        try JSONFile.read(LayerInformation.self, "\(layerPath(layer)).json")
    }

    func layerSize(_ layer: Digest) throws(VoltError) -> UInt64 { try layerInformation(layer).size }

    /// A fresh directory below tmp, on the file system of the layers.
    func makeTemporary() throws(VoltError) -> String {
        try prepare()
        let path = "\(root)/tmp/\(UInt64.random(in: 0...UInt64.max))"
        try Files.makeDirectory(path, mode: 0o755)
        return path
    }

    /// Gives an unpacked directory its name as a layer; it is durable and whole when this returns. When the
    /// layer is there already, the directory is removed.
    func adopt(_ directory: String, as layer: Digest, information: LayerInformation) throws(VoltError) {
        if hasLayer(layer) { return try Files.removeTree(directory) }
        try Files.syncTree(directory)
        try locked { () throws(VoltError) in
            if hasLayer(layer) { return try Files.removeTree(directory) }
            try JSONFile.write(information, "\(layerPath(layer)).json")
            try Files.move(directory, layerPath(layer))
            try Files.syncDirectory("\(root)/layers")
        }
    }
}
