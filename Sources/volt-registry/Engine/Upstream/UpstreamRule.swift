public import VoltCore
internal import VoltOCI

/// Which repositories are those of another registry: `[PREFIX=]HOST[/PATH]`.
public struct UpstreamRule: Sendable, CustomStringConvertible {
    /// With what the names of these repositories begin here; empty for all.
    public let prefix: String
    /// The other registry, as references have it.
    public let host: String
    /// What stands before their names there; empty for nothing.
    let path: String

    /// - Parameter text: `docker.io`, `mirror/hub=docker.io`, `/=registry.example/team`.
    public init(_ text: String) throws(VoltError) {
        let parts = text.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
        let place = parts[parts.count - 1].split(
            separator: "/", maxSplits: 1, omittingEmptySubsequences: false)
        guard let host = OCIReference.host(place[0]) else {
            throw VoltError(
                .usage, "'\(text)' names no registry", hint: "write it as PREFIX=HOST, such as hub=docker.io")
        }
        self.host = host
        path = place.count > 1 ? try OCIRepositoryName(place[1]).description : ""
        if parts.count == 1 {
            guard let name = OCIRepositoryName(parsing: host) else {
                throw VoltError(
                    .usage, "repositories here cannot have names that begin with '\(host)'",
                    hint: "choose what they begin with, such as mirror=\(text)")
            }
            prefix = name.description
        } else {
            prefix = parts[0] == "/" ? "" : try OCIRepositoryName(parts[0]).description
        }
    }

    /// The name that a repository has at the other registry; nil when the rule is not about it.
    func remote(_ name: OCIRepositoryName) -> OCIRepositoryName? {
        var rest = name.description[...]
        if !prefix.isEmpty {
            guard rest.hasPrefix(prefix), rest.dropFirst(prefix.count).first == "/" else { return nil }
            rest = rest.dropFirst(prefix.count + 1)
        }
        // Docker's clients leave that part out, and its registry does not.
        if host == OCIReference.dockerHub, path.isEmpty, !rest.contains("/") {
            return OCIRepositoryName(parsing: "library/\(rest)")
        }
        return OCIRepositoryName(parsing: path.isEmpty ? String(rest) : "\(path)/\(rest)")
    }

    /// As it is written.
    public var description: String {
        "\(prefix.isEmpty ? "/" : prefix)=\(host)\(path.isEmpty ? "" : "/\(path)")"
    }
}
