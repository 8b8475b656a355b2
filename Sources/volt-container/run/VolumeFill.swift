internal import CVoltSystem
internal import ContainerSandbox
internal import Glibc
internal import VoltCore
internal import VoltSystem

/// Fills new volumes with what the image has where they will be mounted. Its mounts go with this process.
struct VolumeFill {
    let settings: FillSettings

    /// Copies what the root file system has at the target of each volume to its directory.
    func run() throws(VoltError) {
        let root = try RootFileSystem.mounted(settings.root)
        defer { close(root) }
        for volume in settings.volumes {
            let (target, path) = (volume.target, volume.directory)
            let source = volt_open_in_root(root, target, O_RDONLY | O_DIRECTORY, 0)
            guard source >= 0 else {
                // The image has nothing there, or what no volume can begin with.
                if [ENOENT, ENOTDIR, ELOOP].contains(errno) { continue }
                throw SystemError.current.during("cannot open '\(target)' of the image")
            }
            defer { close(source) }
            let volume = volt_open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, 0)
            guard volume >= 0 else { throw SystemError.current.during("cannot open '\(path)'") }
            defer { close(volume) }
            var copy = try TreeDuplicate(
                to: volume, named: target, limits: TreeDuplicate.Limits(entries: .max, bytes: .max))
            try copy.copy(contentsOf: source)
        }
    }
}
