import Glibc
import VoltCore

/// Who runs the command, for the history.
enum Caller {
    /// `alice (uid 1000)`; behind sudo(8) the user who called it.
    static func name(_ environment: [String: String]) -> String {
        let id = getuid()
        if id == 0, let user = environment["SUDO_USER"], let number = environment["SUDO_UID"] {
            return "\(clean(user)) (uid \(clean(number)), by sudo)"
        }
        // The entry is read at once, and this program has one thread here.
        let user = getpwuid(id).map { String(cString: $0.pointee.pw_name) }
        return user.map { "\(clean($0)) (uid \(id))" } ?? "uid \(id)"
    }

    /// A name on one line.
    static func clean(_ text: String) -> String {
        PrintableText.line(text, limit: 100)
    }
}
