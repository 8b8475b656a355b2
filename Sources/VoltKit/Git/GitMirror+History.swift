internal import CGit2
internal import Glibc
internal import VoltCore

extension GitMirror {
    /// Whether an object that is here is a commit.
    ///
    /// - Parameter id: 40 hex digits.
    /// - Throws: `GitDamage`, or `VoltError`.
    public func isCommit(_ id: String) throws -> Bool {
        guard var name = ObjectID(hex: id)?.value else { return false }
        return try reading("object \(id.prefix(12))") { () throws(GitFailure) in
            var size = 0
            var type = GIT_OBJECT_INVALID
            try check(git_odb_read_header(&size, &type, database, &name))
            return type == GIT_OBJECT_COMMIT
        }
    }

    /// Whether a commit has another one among its ancestors, or is that one. Both are here.
    ///
    /// - Throws: `GitDamage`, or `VoltError`.
    public func descends(_ commit: String, from ancestor: String) throws -> Bool {
        guard commit != ancestor else { return true }
        guard var one = ObjectID(hex: commit)?.value, var other = ObjectID(hex: ancestor)?.value else {
            return false
        }
        return try reading("the history of commit \(commit.prefix(12))") { () throws(GitFailure) in
            try check(git_graph_descendant_of(handle, &one, &other)) == 1
        }
    }

    /// The paths at which the trees of two commits differ, in the order of their bytes. For a file that was
    /// renamed both names are there. The caller has checked the trees against `TreeLimits`.
    ///
    /// - Throws: `GitDamage`, or `VoltError`.
    public func changedPaths(from old: String, to new: String) throws -> [[UInt8]] {
        try reading("the trees of commit \(new.prefix(12))") { () throws(GitFailure) in
            let trees = (try tree(of: old), try tree(of: new))
            defer {
                git_tree_free(trees.0)
                git_tree_free(trees.1)
            }
            var options = git_diff_options()
            try check(git_diff_options_init(&options, UInt32(GIT_DIFF_OPTIONS_VERSION)))
            options.flags = GIT_DIFF_SKIP_BINARY_CHECK.rawValue | GIT_DIFF_INCLUDE_TYPECHANGE.rawValue
            var diff: OpaquePointer?
            try check(git_diff_tree_to_tree(&diff, handle, trees.0, trees.1, &options))
            defer { git_diff_free(diff) }
            return (0..<git_diff_num_deltas(diff)).compactMap { index in
                guard let delta = git_diff_get_delta(diff, index)?.pointee,
                    let path = delta.new_file.path ?? delta.old_file.path
                else { return nil }
                return UnsafeBufferPointer(start: path, count: strlen(path)).map { UInt8(bitPattern: $0) }
            }
        }
    }

    private func tree(of id: String) throws(GitFailure) -> OpaquePointer? {
        guard var name = ObjectID(hex: id)?.value else { throw GitFailure(code: GIT_EINVALIDSPEC.rawValue) }
        var commit: OpaquePointer?
        try check(git_commit_lookup(&commit, handle, &name))
        defer { git_commit_free(commit) }
        var tree: OpaquePointer?
        try check(git_commit_tree(&tree, commit))
        return tree
    }

    func reading<Result>(_ subject: String, _ body: () throws(GitFailure) -> Result) throws -> Result {
        do throws(GitFailure) { return try body() } catch { throw error.asDamage(of: subject) }
    }
}
