internal import Glibc
public import VoltCore
internal import VoltSystem

extension TrustPolicy {
    /// Where the policy of a host is.
    ///
    /// - Parameter configuration: the directory of configuration, such as `/etc/volt`.
    public static func path(_ configuration: String) -> String { "\(configuration)/trust.yaml" }

    /// The policy in a file.
    ///
    /// - Parameters:
    ///   - path: the file.
    ///   - isNeeded: whether it is an error that there is none.
    /// - Returns: nil when there is none and none is needed.
    /// - Throws: `VoltError` with code `refused`: nothing is taken on a policy that cannot be read.
    public static func load(_ path: String, isNeeded: Bool) throws(VoltError) -> TrustPolicy? {
        var information = stat()
        if !isNeeded, lstat(path, &information) != 0, errno == ENOENT || errno == ENOTDIR { return nil }
        let bytes: [UInt8]
        do throws(VoltError) { bytes = try Files.read(path, limit: 1 << 20) } catch {
            throw VoltError(
                .refused, "no image is taken: \(error.message)", hint: "make the trust policy readable")
        }
        return try read(bytes, path: path)
    }
}
