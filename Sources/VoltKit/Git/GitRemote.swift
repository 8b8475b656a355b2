internal import CGit2
internal import Glibc
public import VoltCore

/// A connection to a remote repository.
///
/// Not `Sendable`: libgit2 allows one thread at a time in a handle, and its errors are the thread's.
public final class GitRemote {
    private let handle: OpaquePointer
    private let access: GitAccess
    private let callbacks: RemoteCallbacks
    private var isConnected = false

    /// The URL, without credentials.
    public var url: String { access.url }

    /// A remote that belongs to no repository: it can be asked for its branches and tags.
    public convenience init(_ access: GitAccess) throws(VoltError) {
        var made: OpaquePointer?
        try self.init(access, made: git_remote_create_detached(&made, access.url), &made)
    }

    /// A remote that a mirror fetches from.
    convenience init(_ access: GitAccess, repository: OpaquePointer) throws(VoltError) {
        var made: OpaquePointer?
        try self.init(access, made: git_remote_create_anonymous(&made, repository, access.url), &made)
    }

    private init(_ access: GitAccess, made code: Int32, _ pointer: inout OpaquePointer?) throws(VoltError) {
        guard code >= 0, let handle = pointer else {
            throw VoltError(
                .usage, "'\(access.url)' is not a URL for libgit2: \(GitFailure(code: code).message)")
        }
        self.handle = handle
        self.access = access
        callbacks = RemoteCallbacks(access)
    }

    deinit {
        if isConnected { git_remote_disconnect(handle) }
        git_remote_free(handle)
    }

    /// The tip of a branch: 40 hex digits.
    ///
    /// - Parameter reference: the whole name, such as `refs/heads/main`.
    /// - Throws: `VoltError`; code `notFound` when there is no such branch.
    public func tip(of reference: String) throws(VoltError) -> String {
        let refs = try references()
        if let found = refs.first(where: { $0.name == reference }) { return found.object }
        let branches = refs.filter { $0.name.hasPrefix("refs/heads/") }.map {
            String($0.name.dropFirst("refs/heads/".count))
        }
        let branch =
            reference.hasPrefix("refs/heads/") ? String(reference.dropFirst("refs/heads/".count)) : reference
        if branches.isEmpty {
            throw VoltError(
                .notFound, "'\(access.url)' has no branch yet", hint: "push '\(branch)' to it first")
        }
        let near = EditDistance.suggestions(for: branch, among: branches)
        throw VoltError(
            .notFound, "'\(access.url)' has no branch '\(branch)'",
            hint: near.isEmpty
                ? "it has \(branches.prefix(5).map { "'\($0)'" }.joined(separator: ", "))"
                : "did you mean '\(near[0])'?")
    }

    /// The tags by their names without `refs/tags/`, and what each is of: for an annotated one not its own
    /// object. 40 hex digits.
    public func tags() throws(VoltError) -> [String: String] {
        var tags: [String: String] = [:]
        let prefix = "refs/tags/"
        let peeled = "^{}"
        for reference in try references() where reference.name.hasPrefix(prefix) {
            let name = reference.name.dropFirst(prefix.count)
            if name.hasSuffix(peeled) {
                tags[String(name.dropLast(peeled.count))] = reference.object
            } else if tags[String(name)] == nil {
                tags[String(name)] = reference.object
            }
        }
        return tags
    }

    /// What the server says it has, in its order.
    private func references() throws(VoltError) -> [(name: String, object: String)] {
        var heads: UnsafeMutablePointer<UnsafePointer<git_remote_head>?>?
        var count = 0
        try connect()
        try translated { () throws(GitFailure) in try check(git_remote_ls(&heads, &count, handle)) }
        return (0..<count).compactMap { index in
            guard let head = heads?[index] else { return nil }
            return (String(cString: head.pointee.name), ObjectID(head.pointee.oid).hex)
        }
    }

    /// Downloads references into the mirror, whatever their history was before.
    ///
    /// - Parameter references: whole names, or patterns such as `refs/tags/*`.
    /// - Throws: `VoltError`, or `GitDamage` when the mirror or what came is damaged.
    func fetch(_ references: [String]) throws {
        try connect()
        let refspecs = references.map { "+\($0):\($0)" }
        let damages = [
            GIT_ERROR_REFERENCE, GIT_ERROR_ODB, GIT_ERROR_OBJECT, GIT_ERROR_ZLIB, GIT_ERROR_INDEXER,
        ]
        callbacks.reset()
        do throws(GitFailure) {
            var options = git_fetch_options()
            try check(git_fetch_options_init(&options, UInt32(GIT_FETCH_OPTIONS_VERSION)))
            options.callbacks = try callbacks.table()
            options.follow_redirects = GIT_REMOTE_REDIRECT_NONE
            options.download_tags = GIT_REMOTE_DOWNLOAD_TAGS_NONE
            options.update_fetchhead = 0
            try withProxy { (proxy) throws(GitFailure) in
                options.proxy_opts = proxy
                try withStringArray(refspecs) { (list) throws(GitFailure) in
                    try check(git_remote_download(handle, list, &options))
                }
            }
            try check(
                git_remote_update_tips(handle, &options.callbacks, 0, GIT_REMOTE_DOWNLOAD_TAGS_NONE, nil))
        } catch {
            let isDamage = callbacks.refusal == nil && damages.contains { $0.rawValue == error.part }
            throw isDamage ? GitDamage(reason: error.message) : plain(error)
        }
    }

    private func connect() throws(VoltError) {
        if isConnected { return }
        try translated { () throws(GitFailure) in
            var options = git_remote_connect_options()
            try check(git_remote_connect_options_init(&options, UInt32(GIT_REMOTE_CONNECT_OPTIONS_VERSION)))
            options.callbacks = try callbacks.table()
            // A redirect to another host is an error; one to another port keeps the credential here,
            // because `mayBeSent` refuses that URL.
            options.follow_redirects = GIT_REMOTE_REDIRECT_NONE
            try withProxy { (proxy) throws(GitFailure) in
                options.proxy_opts = proxy
                try check(git_remote_connect_ext(handle, GIT_DIRECTION_FETCH, &options))
            }
        }
        isConnected = true
    }

    /// Calls the body with the options of the proxy, which live as long as the call.
    private func withProxy(_ body: (git_proxy_options) throws(GitFailure) -> Void) throws(GitFailure) {
        var options = git_proxy_options()
        try check(git_proxy_options_init(&options, UInt32(GIT_PROXY_OPTIONS_VERSION)))
        guard let proxy = access.proxy else {
            options.type = GIT_PROXY_NONE
            return try body(options)
        }
        let url = strdup(proxy)
        defer { free(url) }
        options.type = GIT_PROXY_SPECIFIED
        options.url = UnsafePointer(url)
        try body(options)
    }

    /// Runs calls of libgit2 and says their failure in plain words.
    private func translated(_ body: () throws(GitFailure) -> Void) throws(VoltError) {
        callbacks.reset()
        do throws(GitFailure) { try body() } catch { throw plain(error) }
    }

    private func plain(_ failure: GitFailure) -> VoltError {
        // What a callback refused is the reason; libgit2 knows only that it refused.
        callbacks.refusal
            ?? RemoteErrorText.error(for: failure, access: access, wasAskedForCredentials: callbacks.wasAsked)
    }
}

/// Calls the body with an array of C strings that lives as long as the call.
private func withStringArray(
    _ strings: [String], _ body: (UnsafePointer<git_strarray>) throws(GitFailure) -> Void
)
    throws(GitFailure)
{
    var pointers = strings.map { strdup($0) }
    defer { pointers.forEach { free($0) } }
    var failure: GitFailure?
    pointers.withUnsafeMutableBufferPointer { buffer in
        var list = git_strarray(strings: buffer.baseAddress, count: buffer.count)
        do throws(GitFailure) { try body(&list) } catch { failure = error }
    }
    if let failure { throw failure }
}

/// The name of an object.
struct ObjectID {
    var value: git_oid

    init(_ value: git_oid) { self.value = value }

    /// - Returns: nil when the text is anything but 40 hex digits.
    init?(hex: String) {
        guard hex.utf8.count == 40 else { return nil }
        value = git_oid()
        guard git_oid_fromstr(&value, hex) == 0 else { return nil }
    }

    var hex: String { withUnsafeBytes(of: value.id) { Hex.encode($0) } }
}
