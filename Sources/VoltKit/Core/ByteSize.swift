/// An amount of memory or storage in bytes, written `512M` or `2G` (binary units).
public struct ByteSize: Sendable, Hashable, Comparable, CustomStringConvertible {
    /// The number of bytes.
    public let bytes: UInt64

    /// - Parameter bytes: the number of bytes.
    public init(bytes: UInt64) { self.bytes = bytes }

    private static let units: [(suffix: Character, shift: UInt64)] = [
        ("K", 10), ("M", 20), ("G", 30), ("T", 40),
    ]

    /// Parses `1024`, `512M`, `2g`, `1Gi`, `1GiB` or `64MB`; every unit is binary.
    ///
    /// - Throws: `VoltError` with code `usage`.
    public init(_ text: some StringProtocol) throws(VoltError) {
        let failure = VoltError(
            .usage, "'\(text)' is not a size", hint: "write a number of bytes, or 64K, 512M, 2G")
        let digits = text.prefix { $0.isASCII && $0.isNumber }
        guard let number = UInt64(digits) else { throw failure }
        var suffix = text.dropFirst(digits.count).uppercased()
        if suffix.hasSuffix("IB") {
            suffix.removeLast(2)
        } else if suffix.hasSuffix("B") {
            suffix.removeLast()
        }
        if suffix.hasSuffix("I") { suffix.removeLast() }
        if suffix.isEmpty {
            bytes = number
            return
        }
        guard suffix.count == 1, let unit = Self.units.first(where: { $0.suffix == suffix.first }),
            number <= UInt64.max >> unit.shift
        else { throw failure }
        bytes = number << unit.shift
    }

    /// The shortest exact text for whole units (`512M`), else one decimal (`1.4M`).
    public var description: String {
        for unit in Self.units.reversed() where bytes >= 1 << unit.shift {
            let size: UInt64 = 1 << unit.shift
            if bytes % size == 0 { return "\(bytes >> unit.shift)\(unit.suffix)" }
            let tenths = (bytes >> unit.shift) * 10 + (bytes % size) * 10 / size
            return "\(tenths / 10).\(tenths % 10)\(unit.suffix)"
        }
        return "\(bytes)"
    }

    /// By the number of bytes.
    public static func < (left: ByteSize, right: ByteSize) -> Bool { left.bytes < right.bytes }
}
