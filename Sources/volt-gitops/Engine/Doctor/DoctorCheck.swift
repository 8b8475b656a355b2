/// One thing that the doctor has looked at.
public struct DoctorCheck: Encodable, Sendable, Equatable {
    /// How it is.
    public enum Verdict: String, Encodable, Sendable {
        /// As it should be.
        case ok
        /// It works, and something should be done.
        case warn
        /// Something does not work.
        case fail
    }

    /// What was looked at: `disk`, `repository site`.
    public var name: String
    /// How it is.
    public var verdict: Verdict
    /// What was found, on one line.
    public var message: String
    /// What to do; nil when all is well.
    public var hint: String?

    static func ok(_ name: String, _ message: String) -> DoctorCheck {
        DoctorCheck(name: name, verdict: .ok, message: message, hint: nil)
    }

    static func warn(_ name: String, _ message: String, _ hint: String) -> DoctorCheck {
        DoctorCheck(name: name, verdict: .warn, message: message, hint: hint)
    }

    static func fail(_ name: String, _ message: String, _ hint: String?) -> DoctorCheck {
        DoctorCheck(name: name, verdict: .fail, message: message, hint: hint)
    }
}
