/// Base 64 with the standard alphabet and padding (RFC 4648, section 4).
public enum Base64 {
    private static let alphabet = Array(
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8)
    private static let values: [UInt8] = {
        var table = [UInt8](repeating: 0xff, count: 256)
        for (value, letter) in alphabet.enumerated() { table[Int(letter)] = UInt8(value) }
        return table
    }()

    /// The text, without line breaks.
    public static func encode(_ bytes: some Collection<UInt8>) -> String {
        var text: [UInt8] = []
        text.reserveCapacity((bytes.count + 2) / 3 * 4)
        var group: UInt32 = 0
        var held = 0
        func put(_ letters: Int) {
            for index in 0..<letters { text.append(alphabet[Int(group >> UInt32(18 - 6 * index) & 63)]) }
        }
        for byte in bytes {
            group |= UInt32(byte) << UInt32(16 - 8 * held)
            held += 1
            if held == 3 {
                put(4)
                group = 0
                held = 0
            }
        }
        if held > 0 {
            put(held + 1)
            text.append(contentsOf: repeatElement(UInt8(ascii: "="), count: 3 - held))
        }
        return String(decoding: text, as: UTF8.self)
    }

    /// The bytes of a text; nil for anything but the one text that `encode` gives for them: no spaces, no
    /// missing or superfluous padding, no stray bits in the last letter.
    public static func decode(_ text: some StringProtocol) -> [UInt8]? {
        let letters = Array(text.utf8)
        guard letters.count % 4 == 0 else { return nil }
        let padding = letters.suffix(2).reversed().prefix { $0 == UInt8(ascii: "=") }.count
        var bytes: [UInt8] = []
        bytes.reserveCapacity(letters.count / 4 * 3)
        for start in stride(from: 0, to: letters.count, by: 4) {
            let missing = start + 4 == letters.count ? padding : 0
            var group: UInt32 = 0
            for index in 0..<(4 - missing) {
                let value = values[Int(letters[start + index])]
                guard value != 0xff else { return nil }
                group |= UInt32(value) << UInt32(18 - 6 * index)
            }
            // What the padding says is absent must be zero.
            if missing > 0, group & (missing == 1 ? 0xff : 0xffff) != 0 { return nil }
            for index in 0..<(3 - missing) {
                bytes.append(UInt8(truncatingIfNeeded: group >> UInt32(16 - 8 * index)))
            }
        }
        return bytes
    }
}
