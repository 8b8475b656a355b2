/// A volume or a directory that a workload sees below one of its own paths.
public struct VolumeMount: Sendable, Equatable {
    /// A volume's name, or a path: relative to the source in a manifest, absolute where it is mounted.
    public var source: String
    /// Whether `source` is the name of a volume.
    public var isVolume: Bool
    /// An absolute path in the workload.
    public var target: String
    /// Whether the payload may not write. Always so for a path of the source.
    public var readOnly: Bool
    /// Whether the setuid bits of a volume's programs count. A directory of the host has its own word.
    public var allowsSetuid: Bool
    /// Whether the device nodes of a volume can be opened.
    public var allowsDevices: Bool
    /// Whether a new volume stays empty, instead of beginning with what the image has at `target`.
    public var staysEmpty: Bool

    /// - Parameters: see the properties.
    public init(
        source: String, isVolume: Bool, target: String, readOnly: Bool, allowsSetuid: Bool = false,
        allowsDevices: Bool = false, staysEmpty: Bool = false
    ) {
        self.source = source
        self.isVolume = isVolume
        self.target = target
        self.readOnly = readOnly
        self.allowsSetuid = allowsSetuid
        self.allowsDevices = allowsDevices
        self.staysEmpty = staysEmpty
    }
}

extension VolumeMount: Codable {
    private enum Key: String, CodingKey {
        case source, isVolume, target, readOnly, allowsSetuid, allowsDevices, staysEmpty
    }

    /// Decodes a mount; what is not said is false.
    public init(from decoder: any Decoder) throws {
        let values = try decoder.container(keyedBy: Key.self)
        self.init(
            source: try values.decode(String.self, forKey: .source),
            isVolume: try values.decode(Bool.self, forKey: .isVolume),
            target: try values.decode(String.self, forKey: .target),
            readOnly: try values.decode(Bool.self, forKey: .readOnly),
            allowsSetuid: try values.decodeIfPresent(Bool.self, forKey: .allowsSetuid) ?? false,
            allowsDevices: try values.decodeIfPresent(Bool.self, forKey: .allowsDevices) ?? false,
            staysEmpty: try values.decodeIfPresent(Bool.self, forKey: .staysEmpty) ?? false)
    }

    /// Encodes a mount. The last three are left out where they are false, as in what earlier versions deployed, so
    /// that the digests stay equal.
    public func encode(to encoder: any Encoder) throws {
        var values = encoder.container(keyedBy: Key.self)
        try values.encode(source, forKey: .source)
        try values.encode(isVolume, forKey: .isVolume)
        try values.encode(target, forKey: .target)
        try values.encode(readOnly, forKey: .readOnly)
        if allowsSetuid { try values.encode(true, forKey: .allowsSetuid) }
        if allowsDevices { try values.encode(true, forKey: .allowsDevices) }
        if staysEmpty { try values.encode(true, forKey: .staysEmpty) }
    }
}
