internal import Glibc
public import VoltCore
internal import VoltSystem

/// The private keys of this host for files that are encrypted with age (age-encryption.org), used by age(1).
public struct AgeKeys: Sendable, Equatable {
    /// A file with identities: the output of age-keygen(1), or a private SSH key.
    public let path: String

    /// - Parameter path: an absolute path.
    public init(path: String) { self.path = path }

    /// The keys of a workload: its own, `<configuration>/age/<workload>.txt`, or else those of the host,
    /// `<configuration>/age/keys.txt`.
    public static func of(_ workload: Name, configuration: String) -> AgeKeys {
        let own = "\(configuration)/age/\(workload).txt"
        return AgeKeys(path: Files.exists(own) ? own : "\(configuration)/age/keys.txt")
    }

    /// Says what is wrong with the keys or the program, before they are used.
    ///
    /// - Throws: `VoltError` with code `missing` or `refused`.
    public func check() throws(VoltError) {
        _ = try program()
        var information = stat()
        guard lstat(path, &information) == 0 else {
            throw VoltError(
                .missing, "there is no key to decrypt secrets with: '\(path)' is missing",
                hint:
                    "make one with 'install -d -m 700 \(Files.parent(of: path)) && age-keygen -o \(path)', and encrypt the secrets for the public key that it prints"
            )
        }
        guard information.st_mode & S_IFMT == S_IFREG else {
            throw VoltError(.refused, "'\(path)' is not a plain file")
        }
        guard information.st_mode & 0o077 == 0, information.st_uid == geteuid() else {
            throw VoltError(
                .refused, "'\(path)' is a private key that others than its owner can read",
                hint: "run 'chown root: \(path) && chmod 600 \(path)', and consider a new key")
        }
    }

    /// The plain bytes; nil when none of the keys is a recipient.
    ///
    /// - Throws: `VoltError` when the bytes are damaged or not of age.
    public func open(_ sealed: [UInt8], file: String) throws(VoltError) -> [UInt8]? {
        let result = try program().capture(
            ["--decrypt", "--identity", path], input: sealed, limit: SecretFile.limit)
        guard result.status != 0 else { return result.stdout }
        // Its lines are `age: error: …` and `age: report unexpected …`.
        let said = result.stderr.split(separator: "\n").first { $0.hasPrefix("age: error: ") }
        let reason = said?.dropFirst("age: error: ".count) ?? "age ended with \(result.status)"
        if reason.hasPrefix("no identity matched") { return nil }
        throw VoltError(.failed, "\(file): cannot be decrypted: \(reason)")
    }

    private func program() throws(VoltError) -> ChildProgram {
        let path = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
        guard let executable = ChildProgram.find("age", path: path) else {
            throw VoltError(
                .missing, "'age' is not installed, so secrets cannot be decrypted",
                hint: "install the package age")
        }
        return ChildProgram(executable: executable, environment: ["PATH": path, "LC_ALL": "C.UTF-8"])
    }
}
