/// The few forms of ASN.1's distinguished encoding (X.690) that keys and signatures need.
enum DER {
    /// A value with its tag and length.
    static func value(_ tag: UInt8, _ content: [UInt8]) -> [UInt8] {
        let count = content.count
        if count < 128 { return [tag, UInt8(count)] + content }
        var digits: [UInt8] = []
        var rest = count
        while rest > 0 {
            digits.insert(UInt8(rest & 0xff), at: 0)
            rest >>= 8
        }
        return [tag, 0x80 | UInt8(digits.count)] + digits + content
    }

    /// A sequence of encoded values.
    static func sequence(_ values: [UInt8]...) -> [UInt8] { value(0x30, values.flatMap { $0 }) }

    /// A number of 0 or more, its bytes from the most significant on.
    static func unsigned(_ bytes: some Collection<UInt8>) -> [UInt8] {
        let digits = Array(bytes.drop { $0 == 0 })
        // The first bit is the sign, and 0 is a byte as well.
        return value(0x02, (digits.first ?? 0x80) & 0x80 == 0 ? digits : [0] + digits)
    }

    /// A string of whole bytes.
    static func bits(_ bytes: [UInt8]) -> [UInt8] { value(0x03, [0] + bytes) }

    /// The signature of ECDSA on P-256 (RFC 3279, section 2.2.3) from the 64 bytes of r and s.
    static func ecdsa(_ raw: [UInt8]) -> [UInt8]? {
        guard raw.count == 64 else { return nil }
        return sequence(unsigned(raw.prefix(32)), unsigned(raw.suffix(32)))
    }

    /// The 64 bytes of r and s of such a signature; nil when it is something else.
    static func rawECDSA(_ signature: [UInt8]) -> [UInt8]? {
        guard signature.count <= 72, signature.count >= 8, signature[0] == 0x30,
            Int(signature[1]) == signature.count - 2
        else { return nil }
        var rest = signature[2...]
        var raw: [UInt8] = []
        for _ in 0..<2 {
            guard rest.count >= 2, rest.removeFirst() == 0x02 else { return nil }
            let count = Int(rest.removeFirst())
            guard count > 0, count <= rest.count else { return nil }
            let digits = rest.prefix(count).drop { $0 == 0 }
            guard digits.count <= 32 else { return nil }
            raw += [UInt8](repeating: 0, count: 32 - digits.count) + digits
            rest = rest.dropFirst(count)
        }
        return rest.isEmpty ? raw : nil
    }
}
