/// `%` and two hex digits for a byte (RFC 3986, section 2.1).
public enum Percent {
    /// Escapes everything but unreserved characters (RFC 3986, section 2.3).
    ///
    /// - Parameter kept: characters of ASCII that are left as they are too.
    public static func encode(_ text: some StringProtocol, keeping kept: String = "") -> String {
        let digits = Array("0123456789ABCDEF".utf8)
        var result: [UInt8] = []
        for byte in text.utf8 {
            switch byte {
            case 48...57, 65...90, 97...122, 45, 46, 95, 126: result.append(byte)
            case _ where kept.utf8.contains(byte): result.append(byte)
            default: result += [37, digits[Int(byte >> 4)], digits[Int(byte & 15)]]
            }
        }
        return String(decoding: result, as: UTF8.self)
    }

    /// The text without escapes; nil when one is broken, or the bytes are not UTF-8.
    public static func decode(_ text: some StringProtocol) -> String? {
        guard text.utf8.contains(37) else { return String(text) }
        return bytes(text.utf8).flatMap { String(validating: $0, as: UTF8.self) }
    }

    /// The bytes without escapes; nil when one is broken.
    ///
    /// - Parameter form: whether a plus is a space, as in what HTML forms send (URL Standard, section 5.1).
    public static func bytes(_ source: some Sequence<UInt8>, form: Bool = false) -> [UInt8]? {
        var result: [UInt8] = []
        result.reserveCapacity(source.underestimatedCount)
        var rest = source.makeIterator()
        while let byte = rest.next() {
            switch byte {
            case 43 where form: result.append(32)
            case 37:
                guard let high = rest.next().flatMap(value), let low = rest.next().flatMap(value) else {
                    return nil
                }
                result.append(high << 4 | low)
            default: result.append(byte)
            }
        }
        return result
    }

    private static func value(_ digit: UInt8) -> UInt8? {
        switch digit {
        case 48...57: digit - 48
        case 65...70: digit - 55
        case 97...102: digit - 87
        default: nil
        }
    }
}
