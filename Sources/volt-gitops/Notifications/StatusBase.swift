public import GitopsSource
public import VoltCore

extension StatusSettings {
    /// Where the API of a repository's forge is, and what the repository is called there.
    ///
    /// - Throws: `VoltError` with code `usage` when the URL does not say.
    public static func place(of url: RepositoryURL, forge: StatusForge) throws(VoltError) -> (
        forge: StatusForge, api: String, repository: String
    ) {
        guard url.transport != .file, !url.host.isEmpty else {
            throw VoltError(
                .usage, "'\(url)' does not say where commit statuses go",
                hint: "give --status-api URL and --status-repo OWNER/NAME")
        }
        let repository = repository(of: url.path)
        let host = url.host.contains(":") ? "[\(url.host)]" : url.host
        // The port of SSH says nothing about that of the API; http stays http only as the URL itself was.
        let isWeb = url.transport == .https || url.transport == .http
        let port = isWeb ? url.port.map { ":\($0)" } ?? "" : ""
        let origin = "\(url.transport == .http ? "http" : "https")://\(host)\(port)"
        switch forge {
        case .github:
            let isCloud = ["github.com", "ssh.github.com", "www.github.com"].contains(url.host)
            return (forge, isCloud ? "https://api.github.com" : "\(origin)/api/v3", repository)
        case .gitlab: return (forge, "\(origin)/api/v4", repository)
        case .gitea: return (forge, "\(origin)/api/v1", repository)
        case .bitbucket, .bitbucketServer:
            if forge == .bitbucket, ["bitbucket.org", "altssh.bitbucket.org"].contains(url.host) {
                return (forge, "https://api.bitbucket.org/2.0", repository)
            }
            return (.bitbucketServer, "\(origin)/rest/build-status/1.0", repository)
        }
    }

    /// `team/site` of `/team/site.git`, and of `/scm/team/site.git`.
    private static func repository(of path: String) -> String {
        var parts = path.split(separator: "/").map(String.init)
        if parts.count > 2, parts.first == "scm" { parts.removeFirst() }
        if let last = parts.last, last.hasSuffix(".git"), last.utf8.count > 4 {
            parts[parts.count - 1] = String(last.dropLast(4))
        }
        return parts.joined(separator: "/")
    }
}
