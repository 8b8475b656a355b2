/// Writes ustar archives by hand, hostile ones included.
struct TarBuilder {
    private(set) var bytes: [UInt8] = []

    /// - Parameters:
    ///   - type: `0` file, `1` hard link, `2` link, `3` character device, `4` block device, `5` directory, `6` pipe.
    ///   - size: what the header says, when it is to differ from the content.
    mutating func add(
        _ name: String, _ content: String = "", type: Character = "0", link: String = "", mode: Int = 0o644,
        user: Int = 0, group: Int = 0, time: Int = 1_700_000_000, size: Int? = nil,
        device: (Int, Int) = (0, 0)
    ) {
        add(
            Array(name.utf8), Array(content.utf8), type: type, link: Array(link.utf8), mode: mode, user: user,
            group: group, time: time, size: size, device: device)
    }

    mutating func add(
        _ name: [UInt8], _ content: [UInt8], type: Character = "0", link: [UInt8] = [], mode: Int = 0o644,
        user: Int = 0, group: Int = 0, time: Int = 1_700_000_000, size: Int? = nil,
        device: (Int, Int) = (0, 0)
    ) {
        var header = [UInt8](repeating: 0, count: 512)
        func put(_ text: [UInt8], _ offset: Int) {
            for (index, byte) in text.enumerated() { header[offset + index] = byte }
        }
        func octal(_ value: Int, _ width: Int) -> [UInt8] {
            let digits = String(value, radix: 8)
            return Array((String(repeating: "0", count: max(0, width - 1 - digits.count)) + digits).utf8)
        }
        put(Array(name.prefix(100)), 0)
        put(octal(mode, 8), 100)
        put(octal(user, 8), 108)
        put(octal(group, 8), 116)
        put(octal(size ?? content.count, 12), 124)
        put(octal(time, 12), 136)
        put(Array("        ".utf8), 148)
        put(Array(String(type).utf8), 156)
        put(Array(link.prefix(100)), 157)
        put(Array("ustar\u{0}00".utf8), 257)
        put(octal(device.0, 8), 329)
        put(octal(device.1, 8), 337)
        let sum = header.reduce(0) { $0 + Int($1) }
        put(octal(sum, 7) + [0, 0x20], 148)
        bytes += header + content + [UInt8](repeating: 0, count: (512 - content.count % 512) % 512)
    }

    /// A pax header with records for the next entry.
    mutating func pax(_ records: [(String, [UInt8])]) {
        var content: [UInt8] = []
        for (key, value) in records {
            let body = Array(" \(key)=".utf8) + value + [UInt8(ascii: "\n")]
            var length = body.count + 1
            while String(length).utf8.count + body.count != length {
                length = String(length).utf8.count + body.count
            }
            content += Array(String(length).utf8) + body
        }
        add(Array("pax".utf8), content, type: "x")
    }

    /// The archive with its end.
    var finished: [UInt8] { bytes + [UInt8](repeating: 0, count: 1024) }
}
