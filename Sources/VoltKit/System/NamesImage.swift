internal import CVoltSystem
internal import Glibc
public import VoltCore

/// An EROFS image with the names and attributes of files, and the mount of it.
public enum NamesImage {
    /// How the kernel reads the image.
    public enum Source: String, Sendable {
        /// The file itself, since Linux 6.12.
        case file
        /// A loop device, which goes with the mount.
        case loop
    }

    /// Mounts an image for reading.
    ///
    /// - Parameters:
    ///   - directory: an existing directory.
    ///   - source: nil tries the file, then a loop device.
    /// - Throws: `VoltError`; `missing` when the kernel has no EROFS.
    @discardableResult
    public static func mount(_ image: String, at directory: String, from source: Source? = nil)
        throws(VoltError) -> Source
    {
        if source != .loop {
            if volt_mount(image, directory, "erofs", "") == 0 { return .file }
            let error = SystemError.current
            guard error.number != ENODEV else {
                throw VoltError(
                    .missing, "cannot mount '\(image)': this kernel has no EROFS",
                    hint: "load it with 'modprobe erofs'")
            }
            guard source == nil, error.number == ENOTBLK || error.number == EINVAL else {
                throw error.during("cannot mount '\(image)'")
            }
        }
        let file = volt_open(image, O_RDONLY, 0)
        guard file >= 0 else { throw SystemError.current.during("cannot open '\(image)'") }
        defer { close(file) }
        var name = [CChar](repeating: 0, count: 64)
        let device = volt_loop_attach(file, &name, name.count)
        guard device >= 0 else {
            throw SystemError.current.during("cannot attach '\(image)' to a loop device")
        }
        defer { close(device) }
        guard volt_mount(name, directory, "erofs", "") == 0 else {
            throw SystemError.current.during("cannot mount '\(image)'")
        }
        return .loop
    }
}
