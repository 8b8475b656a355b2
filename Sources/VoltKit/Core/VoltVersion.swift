/// The version of VoltKit and of the tools built with it.
public enum VoltVersion {
    /// As in CHANGELOG.md.
    public static let text = "0.1.0"
}
