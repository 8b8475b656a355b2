internal import ContainerTransfer

/// How registries are reached, and as whom.
public struct RegistryOptions: Sendable {
    /// Whether plain HTTP is spoken with hosts other than this one.
    public var isPlain = false
    /// A PEM file with authorities to trust; nil for those of the system.
    public var caFile: String?
    /// The file with logins; nil for Docker's.
    public var authFile: String?

    /// The options above.
    public init() {}

    var access: RegistryAccess {
        var access = RegistryAccess()
        access.isPlain = isPlain
        access.caFile = caFile
        return access
    }
}
