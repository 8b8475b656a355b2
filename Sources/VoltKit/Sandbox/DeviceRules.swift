internal import CVoltSystem
internal import Glibc
public import VoltCore
internal import VoltSystem

/// Which devices the processes of a container may open: null, zero, full, random, urandom, tty, ptmx and its own
/// terminals. It may make nodes of others, which are of no use.
///
/// A program in the container's group of version 2 sees to that, also beside controllers of version 1; the `devices`
/// controller does on a host that has nothing else. Both are opened at the start: the launch covers their paths.
public struct DeviceRules: Sendable {
    private enum Place: Sendable {
        case program(Int32, group: Int32)
        case controller(allow: Int32, deny: Int32)
    }

    private let place: Place

    /// Rules by a program; nil where the kernel takes none.
    ///
    /// - Parameter unified: the directory of the group, of version 2; nil when there is none.
    public init?(unified: String?) {
        guard let unified else { return nil }
        let program = volt_device_program()
        let group = volt_open(unified, O_RDONLY | O_DIRECTORY, 0)
        guard program >= 0, group >= 0 else {
            for descriptor in [program, group] where descriptor >= 0 { close(descriptor) }
            return nil
        }
        place = .program(program, group: group)
    }

    /// Rules by the controller of version 1; nil where it cannot be set.
    ///
    /// - Parameter directory: that of the group.
    public init?(legacy directory: String) {
        let allow = volt_open("\(directory)/devices.allow", O_WRONLY, 0)
        let deny = volt_open("\(directory)/devices.deny", O_WRONLY, 0)
        guard allow >= 0, deny >= 0 else { return nil }
        place = .controller(allow: allow, deny: deny)
    }

    /// From now on they hold, for good.
    public func restrict() throws(VoltError) {
        switch place {
        case .program(let program, let group):
            guard volt_device_attach(program, group) == 0 else {
                throw SystemError.current.during("cannot keep the container from devices")
            }
        case .controller(let allow, let deny):
            try Files.write(Array("a".utf8), to: deny, named: "devices.deny")
            let devices = ["1:3", "1:5", "1:7", "1:8", "1:9", "5:0", "5:2", "136:*"].map { "c \($0) rwm" }
            // What is forbidden to a group above stays forbidden here, and is no reason not to start.
            for rule in devices + ["c *:* m", "b *:* m"] {
                try? Files.write(Array(rule.utf8), to: allow, named: "devices.allow")
            }
        }
    }

    /// Takes them back before the groups, which are empty, are used again: a root file system may need loop devices.
    public func lift() {
        switch place {
        case .program(let program, let group): _ = volt_device_detach(program, group)
        case .controller(let allow, _): try? Files.write(Array("a".utf8), to: allow, named: "devices.allow")
        }
    }
}
