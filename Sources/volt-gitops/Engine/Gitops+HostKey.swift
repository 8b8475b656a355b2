internal import GitopsSource
public import VoltCore
internal import VoltSystem

/// The key that an SSH server showed.
public struct ScannedHostKey: Codable, Sendable, Equatable {
    /// The host as known_hosts has it: `git.example` or `[git.example]:2222`.
    public var host: String
    /// The type, such as `ssh-ed25519`.
    public var type: String
    /// `SHA256:…`, as ssh-keygen(1) prints it.
    public var fingerprint: String
    /// The line for known_hosts.
    public var line: String
}

extension Gitops {
    /// Asks the server of a repository for its host key.
    ///
    /// - Throws: `VoltError`; code `usage` when it is not reached over SSH.
    public func scanHostKey(of pipeline: Pipeline) throws(VoltError) -> ScannedHostKey {
        try paths.make()
        return try reader().hostKey(of: pipeline, limit: .seconds(30))
    }

    /// The file with the host key that `create` pinned for a pipeline.
    public func pinnedHostKeyFile(of name: Name) -> String { paths.hostKey(name) }

    /// Writes the pinned host key of a pipeline.
    func pin(_ key: ScannedHostKey, for name: Name) throws(VoltError) {
        let file = paths.hostKey(name)
        try Files.makeDirectory(Files.parent(of: file), mode: 0o700)
        try Files.replace(file, with: "\(key.line)\n".utf8, mode: 0o600)
    }

    /// A warning about the SSH key of a pipeline before it is used, or nil.
    public func advice(onKey path: String) -> String? {
        guard let bytes = try? Files.read(path, limit: PrivateKeyFile.longest), PrivateKeyFile.isRSA(bytes),
            let libraries = try? reader().libraries(), !libraries.signsRSAWithSHA2
        else { return nil }
        return
            "'\(path)' is an RSA key: libssh2 \(libraries.ssh ?? "") signs with SHA-1, which servers since OpenSSH 8.8 refuse; use an ed25519 key (ssh-keygen -t ed25519)"
    }
}
