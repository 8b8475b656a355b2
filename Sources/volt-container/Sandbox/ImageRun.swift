internal import CVoltSystem
internal import Glibc
public import VoltCore
internal import VoltSystem
internal import VoltWorkload

/// The files of an image below /run, where systemd-nspawn puts an empty file system in memory.
///
/// The helper that starts nspawn has it mounted somewhere else in the container, and process 1 copies it from there to
/// /run; in a step of a build, whose writes are to stay, process 1 puts the directory itself there.
public struct ImageRun: Sendable {
    /// Where in the container it is until process 1 has taken it: another path at each start.
    public let place: String
    /// Whether what is written below /run belongs to the container's layer.
    public let stays: Bool

    /// The most that is taken: it is kept in memory.
    private static let limits = TreeDuplicate.Limits(entries: 100_000, bytes: 256 << 20)

    /// - Parameter stays: see the property.
    public init(stays: Bool) {
        let name = (0..<2).map { _ in String(UInt64.random(in: 0...UInt64.max), radix: 36) }.joined()
        place = "/run/volt-run-\(name)"
        self.stays = stays
    }

    /// Reads the keys `image-run` and `run-stays`; nil when there are none.
    init?(_ settings: Settings) {
        guard let place = settings.optional("image-run") else { return nil }
        self.place = place
        stays = settings.flag("run-stays")
    }

    /// Tells process 1.
    func add(to settings: inout Settings) {
        settings.add("image-run", place)
        settings.add("run-stays", stays ? "1" : "0")
    }

    /// The directory in the root of a container, opened; nil when there is nothing to be taken.
    ///
    /// - Parameter root: the open root; no link leads out of it.
    public func directory(in root: Int32) throws(VoltError) -> Int32? {
        let directory = volt_open_in_root(root, "/run", O_RDONLY | O_DIRECTORY, 0)
        guard directory >= 0 else { return nil }
        var information = stat()
        guard fstat(directory, &information) == 0 else {
            throw SystemError.current.during("cannot look at '/run' of the image")
        }
        let names = try Files.list("/proc/self/fd/\(directory)")
        let isPlain =
            information.st_mode & 0o7777 == 0o755 && information.st_uid == 0 && information.st_gid == 0
        guard stays || !names.isEmpty || !isPlain else {
            close(directory)
            return nil
        }
        return directory
    }

    /// Called by process 1, before anything of the image runs.
    public func take() throws(VoltError) {
        let source = volt_open(place, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, 0)
        guard source >= 0 else { return }
        defer { close(source) }
        guard !stays else {
            guard volt_bind("/proc/self/fd/\(source)", "/run", 0) == 0 else {
                throw SystemError.current.during("cannot mount '/run' of the image")
            }
            return
        }
        guard volt_umount_detach(place) == 0 else {
            throw SystemError.current.during("cannot unmount '/run' of the image")
        }
        rmdir(place)
        let target = volt_open("/run", O_RDONLY | O_DIRECTORY, 0)
        guard target >= 0 else { throw SystemError.current.during("cannot open '/run'") }
        defer { close(target) }
        var copy = try TreeDuplicate(to: target, named: "/run", limits: Self.limits)
        do throws(VoltError) { try copy.copy(contentsOf: source) } catch {
            guard error.code == .refused else { throw error }
            // It ran without that before.
            let line = Array("volt container: note: \(error.message); the rest is left out\n".utf8)
            _ = write(2, line, line.count)
        }
    }
}
