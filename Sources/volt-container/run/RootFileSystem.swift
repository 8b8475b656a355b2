internal import CVoltSystem
internal import ContainerSandbox
internal import Glibc
internal import VoltCore
internal import VoltSystem

/// The root file system of a container: its layers, and over them the directory that it writes to.
///
/// A layer is a directory, or the EROFS image of a tree whose files lie in the content store: then nothing is copied
/// or linked, and containers share the pages of the files that their images have in common.
struct RootFileSystem {
    /// The stage is a tmpfs of this mount namespace.
    let settings: RootSettings
    private var stage: String { settings.stage }

    /// `OVL_MAX_STACK` of Linux: the most layers that one overlayfs has.
    private static let layerLimit = 500

    /// Mounts it at `root` of the stage.
    func mount() throws(VoltError) {
        for name in ["root", "l"] { try Files.makeDirectory("\(stage)/\(name)") }
        let lowers = settings.layers.layers
        let limit = Self.layerLimit - (settings.layers.objects == nil ? 0 : 1)
        guard lowers.count <= limit else {
            throw VoltError(
                .failed,
                "the image has \(lowers.count) layers, and Linux puts at most \(limit) on each other here",
                hint: "build it with fewer steps")
        }
        // Short names, seen from the directory that they are in: the options of a mount have room for one page, and
        // layers have long paths.
        let before = volt_open(".", O_RDONLY | O_DIRECTORY, 0)
        guard before >= 0 else { throw SystemError.current.during("cannot open the working directory") }
        defer { close(before) }
        guard chdir("\(stage)/l") == 0 else { throw SystemError.current.during("cannot enter '\(stage)/l'") }
        defer { _ = fchdir(before) }
        try link(settings.upper, "\(stage)/l/upper")
        try link(settings.work, "\(stage)/l/work")
        guard let objects = settings.layers.objects else {
            for (index, lower) in lowers.enumerated() { try place(lower, index, from: nil) }
            return try overlay("root", lowers.indices.map(String.init), [], "")
        }
        try link(objects, "\(stage)/l/objects")
        do throws(VoltError) { try mount(lowers, from: settings.layers.source) } catch {
            // Some kernels count an image that is read from its file as one more file system on the others.
            for name in ["root", "l/base"] + lowers.indices.map({ "l/\($0)" }) {
                umount2("\(stage)/\(name)", Int32(MNT_DETACH))
                _ = unlink("\(stage)/\(name)")
            }
            do throws(VoltError) { try mount(lowers, from: .loop) } catch let second {
                throw VoltError(error.code, "\(error.message), and with loop devices: \(second.message)")
            }
        }
    }

    private func place(_ lower: LayerMounts.Layer, _ index: Int, from source: NamesImage.Source?)
        throws(VoltError)
    {
        let path = "\(stage)/l/\(index)"
        switch lower {
        case .directory(let directory): try link(directory, path)
        case .names(let image):
            try Files.makeDirectory(path)
            try NamesImage.mount(image, at: path, from: source)
        }
    }

    private func mount(_ lowers: [LayerMounts.Layer], from source: NamesImage.Source?) throws(VoltError) {
        for (index, lower) in lowers.enumerated() { try place(lower, index, from: source) }
        // Two, since only the lower one may know of files without bytes: what the payload writes is whole by itself.
        try Files.makeDirectory("\(stage)/l/base")
        try overlay("l/base", lowers.indices.map(String.init), ["objects"], "metacopy=on,redirect_dir=on,")
        try overlay("root", ["base"], [], "metacopy=off,redirect_dir=off,")
    }

    /// - Parameters:
    ///   - place: below the stage; only `root` can be written to.
    ///   - lowers: names in the working directory, the topmost first.
    ///   - data: directories that only have the bytes of files.
    private func overlay(_ place: String, _ lowers: [String], _ data: [String], _ options: String)
        throws(VoltError)
    {
        var options = options + "lowerdir=" + lowers.joined(separator: ":")
        for name in data { options += "::\(name)" }
        if place == "root" { options += ",upperdir=upper,workdir=work" }
        guard volt_mount("overlay", "\(stage)/\(place)", "overlay", options) == 0 else {
            throw SystemError.current.during("cannot mount the layers on '\(stage)/\(place)'")
        }
    }

    private func link(_ target: String, _ path: String) throws(VoltError) {
        guard symlink(target, path) == 0 else { throw SystemError.current.during("cannot make '\(path)'") }
    }
}

extension RootFileSystem {
    /// Mounts it for this process alone, with which everything goes.
    ///
    /// - Returns: its root, opened.
    static func mounted(_ settings: RootSettings) throws(VoltError) -> Int32 {
        guard volt_unshare_mounts() == 0, volt_mounts_enslave() == 0 else {
            throw SystemError.current.during("cannot make a mount namespace")
        }
        let stage = settings.stage
        guard volt_mount("tmpfs", stage, "tmpfs", "mode=755") == 0 else {
            throw SystemError.current.during("cannot mount tmpfs on '\(stage)'")
        }
        try RootFileSystem(settings: settings).mount()
        let root = volt_open("\(stage)/root", O_RDONLY | O_DIRECTORY, 0)
        guard root >= 0 else { throw SystemError.current.during("cannot open '\(stage)/root'") }
        return root
    }
}
