/// Whether a payload that ended is started again.
public enum RestartPolicy: String, Codable, Sendable, CaseIterable {
    /// Never.
    case no
    /// When it did not end with 0.
    case onFailure = "on-failure"
    /// Whenever it ended.
    case always
}
