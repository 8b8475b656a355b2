/// FNV-1a: a short name for a text, the same in every process and version. Names on disk and of units are made of it.
///
/// It does not protect: an attacker can make two texts with the same hash.
public enum StableHash {
    /// 64 bits, in base 36.
    public static func text(of text: some StringProtocol) -> String {
        var hash: UInt64 = 0xcbf2_9ce4_8422_2325
        for byte in text.utf8 { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01b3 }
        return String(hash, radix: 36)
    }

    /// 32 bits, in base 36: for names that have little room.
    public static func shortText(of text: some StringProtocol) -> String {
        var hash: UInt32 = 2_166_136_261
        for byte in text.utf8 { hash = (hash ^ UInt32(byte)) &* 16_777_619 }
        return String(hash, radix: 36)
    }
}
