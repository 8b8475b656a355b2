/// Numbers at the edges of their types, which a reader counts with until they no longer fit.
package enum EdgeNumbers {
    /// In decimal digits.
    private static let texts = [
        "0", "-1", "2147483647", "2147483648", "4294967295", "9007199254740992", "9223372036854775807",
        "9223372036854775808", "18446744073709551615", "18446744073709551616", "1e308",
    ].map { Array($0.utf8) }
    private static let values: [UInt64] = [
        0, 1, 1 << 31 - 1, 1 << 31, 1 << 32 - 1, 1 << 53, 1 << 63 - 1, 1 << 63, .max - 1, .max,
    ]

    /// Puts such a number in the place of one that the bytes have: of a run of digits, or of 1 to 8 bytes.
    ///
    /// - Parameter random: chooses which number and which place.
    package static func mutate(_ bytes: inout [UInt8], _ random: UInt64) {
        let place = Int(random >> 8 & 0xffff) % (bytes.count + 1)
        let choice = Int(random >> 24 & 0xff)
        if random & 1 == 0, let start = bytes[place...].firstIndex(where: isDigit) {
            let end = bytes[start...].firstIndex { !isDigit($0) } ?? bytes.count
            return bytes.replaceSubrange(start..<end, with: texts[choice % texts.count])
        }
        let width = 1 << Int(random >> 1 & 3)
        guard place + width <= bytes.count else { return }
        let value = values[choice % values.count]
        let isBig = random >> 3 & 1 == 1
        for index in 0..<width {
            let shift = 8 * UInt64(isBig ? width - 1 - index : index)
            bytes[place + index] = UInt8(truncatingIfNeeded: value >> shift)
        }
    }

    private static func isDigit(_ byte: UInt8) -> Bool { (48...57).contains(byte) }
}
