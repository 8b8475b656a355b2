/// The last part of a volume as people write it: `ro`, `rw`, `suid`, `dev` and `nocopy`, with commas between them.
public struct VolumeMode: Sendable, Equatable {
    /// Whether the payload may not write.
    public var readOnly = false
    /// Whether `rw` was written.
    public var isWritable = false
    /// Whether the setuid bits of programs count.
    public var allowsSetuid = false
    /// Whether device nodes can be opened.
    public var allowsDevices = false
    /// Whether a new volume stays empty, instead of beginning with what the image has there.
    public var staysEmpty = false

    /// The mode of a volume about which nothing is said.
    public init() {}

    /// Nil when a word is not one of these, or contradicts another.
    public init?(_ text: String) {
        for word in text.split(separator: ",", omittingEmptySubsequences: false) {
            switch word {
            case "ro": readOnly = true
            case "rw": isWritable = true
            case "suid": allowsSetuid = true
            case "dev": allowsDevices = true
            case "nocopy": staysEmpty = true
            default: return nil
            }
        }
        if readOnly, isWritable { return nil }
    }

    /// Whether it says something that only a volume by name can have.
    public var isForVolumes: Bool { allowsSetuid || allowsDevices || staysEmpty }
}
