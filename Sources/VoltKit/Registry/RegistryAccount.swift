/// What a registry is told about who asks.
public enum RegistryAccount: Sendable, Equatable {
    /// Nobody in particular.
    case anonymous
    /// A name and a password.
    case password(user: String, password: String)
    /// A token that a login has given (`identitytoken` of Docker's configuration), for others.
    case identityToken(String)
}
