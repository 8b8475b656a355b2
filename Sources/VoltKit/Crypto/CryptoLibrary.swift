internal import CCrypto

/// The library behind this module.
public enum CryptoLibrary {
    /// The version of the OpenSSL that is linked, such as `3.0.17`.
    public static var version: String { String(cString: OpenSSL_version(OPENSSL_VERSION_STRING)) }
}
