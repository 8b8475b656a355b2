/// Texts of registries, which end on terminals.
public enum RegistryText {
    /// The text without controls, cut.
    public static func plain(_ text: String, longest: Int) -> String {
        var result = String.UnicodeScalarView()
        for scalar in text.unicodeScalars.prefix(longest) {
            let isControl = scalar.value < 32 || (127...159).contains(scalar.value)
            result.append(isControl ? "?" : scalar)
        }
        return String(result)
    }
}
