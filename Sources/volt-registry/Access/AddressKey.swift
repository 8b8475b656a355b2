internal import Glibc

/// Under what an address is counted: IPv4 as it is, and of IPv6 the first 64 bits, since one customer of a
/// provider has at least as many.
enum AddressKey {
    static func of(_ address: String) -> String {
        var bytes = [UInt8](repeating: 0, count: 16)
        if inet_pton(AF_INET6, address, &bytes) == 1 {
            // IPv4 seen through a socket of IPv6 (RFC 4291, section 2.5.5.2).
            if bytes.prefix(12).elementsEqual([0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff]) {
                return bytes[12...].map { "\($0)" }.joined(separator: ".")
            }
            return bytes.prefix(8).map { String($0, radix: 16) }.joined(separator: ":") + "/64"
        }
        return String(address.prefix(100))
    }
}
