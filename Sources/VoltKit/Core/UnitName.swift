/// Names of units.
public enum UnitName {
    /// The types of unit that tools install.
    public static let types = ["service", "socket", "timer"]

    /// Whether a text is the full name of such a unit, such as `volt-gitops.service` (systemd.unit(5)).
    public static func isValid(_ text: some StringProtocol) -> Bool {
        guard text.utf8.count < 256, let dot = text.lastIndex(of: "."), dot > text.startIndex,
            types.contains(String(text[text.index(after: dot)...]))
        else { return false }
        let isPlain = text.utf8.allSatisfy { byte in
            switch byte {
            case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "a")...UInt8(ascii: "z"),
                UInt8(ascii: "A")...UInt8(ascii: "Z"):
                true
            default:
                [UInt8(ascii: ":"), UInt8(ascii: "_"), UInt8(ascii: "."), UInt8(ascii: "-")].contains(byte)
            }
        }
        return isPlain && text.first != "-" && text.first != "."
    }

    /// The type behind the last dot, such as `socket`.
    public static func type(of unit: String) -> String {
        unit.split(separator: ".").last.map(String.init) ?? ""
    }

    /// The section of a unit's own settings, such as `Socket`.
    public static func section(of unit: String) -> String {
        switch type(of: unit) {
        case "socket": "Socket"
        case "timer": "Timer"
        default: "Service"
        }
    }
}
