internal import Glibc

/// Finds who listens on a port, from /proc.
public enum PortHolder {
    /// `process 123 (name)`, or nil when it cannot be seen.
    public static func find(port: Int) -> String? {
        guard let inode = inode(of: port) else { return nil }
        for name in (try? Files.list("/proc")) ?? [] {
            guard let pid = Int32(name), let descriptors = try? Files.list("/proc/\(pid)/fd") else {
                continue
            }
            for descriptor in descriptors {
                var buffer = [CChar](repeating: 0, count: 64)
                let count = readlink("/proc/\(pid)/fd/\(descriptor)", &buffer, 63)
                guard count > 0 else { continue }
                let target = String(decoding: buffer[..<count].map { UInt8(bitPattern: $0) }, as: UTF8.self)
                guard target == "socket:[\(inode)]" else { continue }
                let command = (try? Files.read("/proc/\(pid)/comm", limit: 64)) ?? []
                let text = String(decoding: command.filter { $0 >= 32 }, as: UTF8.self)
                return "process \(pid) (\(text))"
            }
        }
        return nil
    }

    /// Whether somebody listens on a port, seen or not.
    public static func isTaken(port: Int) -> Bool { inode(of: port) != nil }

    private static func inode(of port: Int) -> String? {
        let wanted = String(port, radix: 16, uppercase: true)
        let suffix = ":" + String(repeating: "0", count: 4 - wanted.count) + wanted
        for table in ["/proc/net/tcp", "/proc/net/tcp6"] {
            guard let bytes = try? Files.read(table) else { continue }
            for line in String(decoding: bytes, as: UTF8.self).split(separator: "\n").dropFirst() {
                let fields = line.split(separator: " ")
                // State 0A is listening.
                if fields.count > 9, fields[1].hasSuffix(suffix), fields[3] == "0A" {
                    return String(fields[9])
                }
            }
        }
        return nil
    }
}
