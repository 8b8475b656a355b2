internal import GitopsSource

/// A branch or a tag, by its name without `refs/heads/` or `refs/tags/`.
package enum PushedRef: Hashable {
    case branch(String)
    case tag(String)

    /// A ref by its full name; nil for any other kind, such as `refs/pull/1/head`.
    init?(full name: String) {
        if let branch = Self.rest(of: name, after: "refs/heads/") {
            self = .branch(branch)
        } else if let tag = Self.rest(of: name, after: "refs/tags/") {
            self = .tag(tag)
        } else {
            return nil
        }
    }

    /// A ref by its short name and its kind, `branch` or `tag`, as the events `create` and `delete` have it.
    init?(short name: String, kind: String?) {
        guard !name.isEmpty else { return nil }
        switch kind {
        case "branch": self = .branch(name)
        case "tag": self = .tag(name)
        default: return nil
        }
    }

    private static func rest(of name: String, after prefix: String) -> String? {
        guard name.utf8.count > prefix.utf8.count, name.utf8.starts(with: prefix.utf8) else { return nil }
        return String(decoding: name.utf8.dropFirst(prefix.utf8.count), as: UTF8.self)
    }

    /// The name alone.
    package var name: String {
        switch self {
        case .branch(let name), .tag(let name): name
        }
    }

    /// What the history shows: `main`, or `tag v1.4.2`.
    package var shown: String {
        switch self {
        case .branch(let name): name
        case .tag(let name): TrackOptions.shown(tag: name)
        }
    }

    /// `branch 'main'`.
    package var described: String {
        switch self {
        case .branch(let name): "branch '\(name)'"
        case .tag(let name): "tag '\(name)'"
        }
    }
}

extension Pipeline {
    /// Whether a push to a ref may change what this pipeline deploys.
    func follows(_ ref: PushedRef) -> Bool {
        switch ref {
        case .branch(let name): followsBranch && name == branch
        case .tag(let name):
            // A pattern that cannot be read was refused at `create`.
            track?.tag.flatMap { try? TagPattern($0) }?.matches(name) ?? false
        }
    }
}
