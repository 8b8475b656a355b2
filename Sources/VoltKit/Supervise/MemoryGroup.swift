internal import VoltCore
internal import VoltSystem

/// The kernel's account of the memory of some control groups.
struct MemoryGroup {
    /// Those of version 1 or 2 that may count a container's memory.
    let directories: [String]

    /// How many processes the kernel has killed for want of memory.
    var kills: Int {
        var kills = 0
        for directory in directories {
            // Of version 2, and of version 1.
            for file in ["memory.events", "memory.oom_control"] {
                let text = String(
                    decoding: (try? Files.read("\(directory)/\(file)", limit: 4096)) ?? [], as: UTF8.self)
                for line in text.split(separator: "\n") where line.hasPrefix("oom_kill ") {
                    kills = max(kills, Int(line.dropFirst(9)) ?? 0)
                }
            }
        }
        return kills
    }

    /// The smallest limit, in bytes; nil when there is none.
    var limit: UInt64? {
        directories.flatMap { directory in
            ["memory.max", "memory.limit_in_bytes"].compactMap { file -> UInt64? in
                guard let bytes = try? Files.read("\(directory)/\(file)", limit: 64) else { return nil }
                return UInt64(String(decoding: bytes.filter { $0 > 32 }, as: UTF8.self))
            }
            // Version 1 has a number near the largest for no limit.
        }.filter { $0 < 1 << 60 }.min()
    }
}
