internal import CVoltSystem
internal import Glibc
internal import VoltCore
internal import VoltSystem

/// The control groups that a container sees at /sys/fs/cgroup.
enum ControlGroupTree {
    private static let root = "/sys/fs/cgroup"

    /// Makes them read-only: a payload that writes there freezes itself, and with it every command that enters.
    ///
    /// - Parameter writable: where the user has mounted something of the host for the payload to write to.
    static func makeReadOnly(except writable: [String]) throws(VoltError) {
        let table = String(decoding: try Files.read("/proc/self/mountinfo"), as: UTF8.self)
        for line in table.split(separator: "\n") {
            // proc_pid_mountinfo(5): the fifth field is the place, and the kind comes after " - ".
            let fields = line.split(separator: " ")
            guard fields.count > 4, let end = fields.firstIndex(of: "-"), end + 1 < fields.count,
                fields[end + 1].hasPrefix("cgroup")
            else { continue }
            let place = String(fields[4])
            guard isBelow(place, root), !writable.contains(where: { isBelow(place, $0) }) else { continue }
            guard volt_cgroups_read_only(place) == 0 else {
                throw SystemError.current.during("cannot make '\(place)' read-only")
            }
        }
    }

    private static func isBelow(_ path: String, _ directory: String) -> Bool {
        path == directory || path.hasPrefix("\(directory)/")
    }
}
