/// Base 64 with the alphabet for URLs and without padding (RFC 4648, section 5; RFC 7515, section 2).
public enum Base64URL {
    /// The text.
    public static func encode(_ bytes: some Collection<UInt8>) -> String {
        var text: [UInt8] = []
        for letter in Base64.encode(bytes).utf8 {
            switch letter {
            case UInt8(ascii: "+"): text.append(UInt8(ascii: "-"))
            case UInt8(ascii: "/"): text.append(UInt8(ascii: "_"))
            case UInt8(ascii: "="): break
            default: text.append(letter)
            }
        }
        return String(decoding: text, as: UTF8.self)
    }

    /// The bytes of a text; nil for anything but the one text that `encode` gives for them: no padding, no
    /// letters of the other alphabet, no stray bits in the last letter.
    public static func decode(_ text: some StringProtocol) -> [UInt8]? {
        var letters: [UInt8] = []
        letters.reserveCapacity(text.utf8.count + 3)
        for letter in text.utf8 {
            switch letter {
            case UInt8(ascii: "-"): letters.append(UInt8(ascii: "+"))
            case UInt8(ascii: "_"): letters.append(UInt8(ascii: "/"))
            case UInt8(ascii: "+"), UInt8(ascii: "/"), UInt8(ascii: "="): return nil
            default: letters.append(letter)
            }
        }
        // One letter alone holds no byte; the standard form then has three signs of padding, which is none.
        while letters.count % 4 != 0 { letters.append(UInt8(ascii: "=")) }
        return Base64.decode(String(decoding: letters, as: UTF8.self))
    }
}
