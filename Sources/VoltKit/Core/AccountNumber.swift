/// The number of a user or group that something is run as.
public enum AccountNumber {
    /// The largest one. What is above it some programs take for negative, and for the kernel 4294967295 means to stay
    /// who one is, which is root.
    public static let largest: UInt32 = 2_147_483_647

    /// The number that a text is, or nil when the text is a name. Digits are decimal, also behind zeros, as Docker
    /// reads them; everything else but a sign begins a name.
    ///
    /// - Throws: `VoltError` with code `refused` for a number that is negative or too large.
    public static func parse(_ text: String) throws(VoltError) -> UInt32? {
        guard let first = text.utf8.first else { return nil }
        let isSigned = first == UInt8(ascii: "+") || first == UInt8(ascii: "-")
        guard isSigned || text.utf8.allSatisfy({ (48...57).contains($0) }) else { return nil }
        guard !isSigned, let number = UInt32(text), number <= largest else {
            throw VoltError(
                .refused, "'\(text)' is not the number of a user or group",
                hint: "write a name, or a number from 0 to \(largest)")
        }
        return number
    }

    /// Refuses `USER` and `USER:GROUP` with a number that nothing can be run as.
    public static func check(_ text: String) throws(VoltError) {
        for part in text.split(separator: ":", maxSplits: 1) { _ = try parse(String(part)) }
    }
}
