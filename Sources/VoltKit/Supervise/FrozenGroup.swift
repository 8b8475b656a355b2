internal import Glibc
internal import VoltSystem

/// A control group whose processes the kernel does not run (cgroups(7), freezer).
public enum FrozenGroup {
    /// The files that tell, of version 2 and of version 1.
    public static let files = ["cgroup.events", "freezer.state"]

    /// Whether the group of an open file of these is frozen.
    public static func isFrozen(_ descriptor: Int32) -> Bool {
        var buffer = [UInt8](repeating: 0, count: 256)
        let count = pread(descriptor, &buffer, buffer.count, 0)
        return count > 0 && isFrozen(text: String(decoding: buffer[..<count], as: UTF8.self))
    }

    /// Whether a group is frozen, by itself or by one above it.
    ///
    /// - Parameter directory: its directory.
    public static func isFrozen(_ directory: String) -> Bool {
        files.contains { name in
            guard let bytes = try? Files.read("\(directory)/\(name)", limit: 4096) else { return false }
            return isFrozen(text: String(decoding: bytes, as: UTF8.self))
        }
    }

    private static func isFrozen(text: String) -> Bool {
        text.split(separator: "\n").contains { $0 == "frozen 1" || $0 == "FROZEN" || $0 == "FREEZING" }
    }
}
