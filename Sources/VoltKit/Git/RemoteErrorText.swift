internal import CGit2
internal import VoltCore

/// libgit2's failures of a connection, in the words of someone who runs a server.
enum RemoteErrorText {
    static func error(for failure: GitFailure, access: GitAccess, wasAskedForCredentials: Bool) -> VoltError {
        let url = access.url
        let text = failure.message
        func contains(_ words: String...) -> Bool { words.contains { text.contains($0) } }
        if failure.code == GIT_EOWNER.rawValue {
            return VoltError(
                .refused, "cannot read '\(url)': it belongs to another user",
                hint: "run this as its owner, or serve the repository")
        }
        if failure.part == GIT_ERROR_SSL.rawValue || failure.code == GIT_ECERTIFICATE.rawValue
            || contains("certificate", "handshake")
        {
            return VoltError(
                .refused, "cannot trust '\(url)': \(text)",
                hint: "give the certificate of its authority with --ca-file")
        }
        if contains("failed to resolve address") {
            return VoltError(
                .failed, "cannot read '\(url)': its host name cannot be resolved",
                hint: "check the name and the DNS of this host")
        }
        if contains("failed to connect") {
            return VoltError(.failed, "cannot read '\(url)': the host does not answer on that port (\(text))")
        }
        if contains("redirect") {
            return VoltError(
                .refused, "cannot read '\(url)': it redirects to another server (\(text))",
                hint: "use the URL it redirects to")
        }
        if contains("401", "403", "too many redirects or authentication replays")
            || failure.code == GIT_EAUTH.rawValue
        {
            return VoltError(
                .refused,
                "authentication failed: '\(url)' \(wasAskedForCredentials ? "does not take the credential" : "is not allowed")",
                hint: "check the user name and the token or key")
        }
        return answered(text, by: url)
    }

    /// The failure of a server that was reached and let us in.
    private static func answered(_ text: String, by url: String) -> VoltError {
        func contains(_ words: String...) -> Bool { words.contains { text.contains($0) } }
        let isPath = url.hasPrefix("/") || url.hasPrefix("file://")
        // What libgit2 says of a path that is not there.
        let isNoPath = isPath && contains("unsupported URL protocol")
        if isNoPath
            || contains(
                "404", "unsupported path", "could not find repository", "failed to resolve path",
                "does not appear to be a git")
        {
            return VoltError(
                .notFound, "repository '\(url)' not found",
                hint: "check the URL; a private repository needs --username and --token-file, or --ssh-key")
        }
        if contains("invalid content-type", "unexpected content-type", "invalid or unexpected") {
            return VoltError(
                .failed, "'\(url)' does not speak Git's smart protocol (\(text))",
                hint: "serve the repository with git http-backend(1), or check the URL")
        }
        if contains("unable to exchange encryption keys", "failed to start SSH session") {
            return VoltError(
                .failed, "cannot read '\(url)': no host key or cipher in common (\(text))",
                hint: GitLibrary.signsRSAWithSHA2
                    ? "the server needs an ed25519, ECDSA or RSA host key and a cipher of these days"
                    : "the server needs an ed25519 or ECDSA host key: libssh2 before 1.11 knows RSA with SHA-1 only"
            )
        }
        return VoltError(.failed, "cannot read '\(url)': \(text)")
    }
}
