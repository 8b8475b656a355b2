public import VoltCore
internal import VoltSystem

/// A file that an option names and that has to be there: what is kept, or read later, is found wherever the command ran.
public enum ExistingFile {
    /// The absolute path.
    ///
    /// - Parameters:
    ///   - path: as it was given; nil gives nil.
    ///   - option: such as `--ssh-key`.
    /// - Throws: `VoltError` with code `notFound`.
    public static func path(_ path: String?, of option: String) throws(VoltError) -> String? {
        guard let path else { return nil }
        return try required(path, of: option)
    }

    /// The absolute path.
    ///
    /// - Throws: `VoltError` with code `notFound`.
    public static func required(_ path: String, of option: String) throws(VoltError) -> String {
        let absolute = Files.absolute(path, from: Files.currentDirectory)
        guard Files.exists(absolute) else {
            throw VoltError(.notFound, "'\(path)' of \(option) does not exist")
        }
        return absolute
    }
}
