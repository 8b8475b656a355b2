internal import CGit2
public import VoltCore
internal import VoltSystem

/// Objects of a mirror are missing or do not have the bytes of their names: the mirror must be made again.
public struct GitDamage: Error, Sendable {
    /// What libgit2 says about it.
    public let reason: String
}

/// A bare repository of our own that keeps what was fetched, so that the next fetch brings only what is new.
///
/// One process at a time: the caller holds a lock. Not `Sendable`, as `GitRemote` says.
public final class GitMirror {
    /// The bare repository.
    public let path: String
    let handle: OpaquePointer
    let database: OpaquePointer

    /// How many packs there may be before they are made one. Each fetch adds one, libgit2 keeps all of
    /// them open, and looks into each for an object.
    public static let packLimit = 50

    /// Opens the mirror; makes it when it is not there, and again when it is not a repository any more.
    ///
    /// - Parameters:
    ///   - path: the directory of the bare repository.
    ///   - packLimit: with more packs than this, they are made one first.
    public init(at path: String, packLimit: Int = GitMirror.packLimit) throws(VoltError) {
        self.path = path
        Self.sweep(path)
        if Self.packs(in: path).count > packLimit {
            // What cannot be packed is damaged; the branch is then fetched from the start.
            do throws(GitFailure) { try Self.consolidate(path) } catch { try Files.removeTree(path) }
        }
        do throws(GitFailure) {
            (handle, database) = try Self.open(path)
        } catch {
            try Files.removeTree(path)
            do throws(GitFailure) {
                try Self.create(path)
                (handle, database) = try Self.open(path)
            } catch {
                throw VoltError(.failed, "cannot make the mirror '\(path)': \(error.message)")
            }
        }
    }

    deinit {
        git_odb_free(database)
        git_repository_free(handle)
    }

    private static func open(_ path: String) throws(GitFailure) -> (OpaquePointer, OpaquePointer) {
        var repository: OpaquePointer?
        try check(git_repository_open_bare(&repository, path))
        var database: OpaquePointer?
        let code = git_repository_odb(&database, repository)
        guard code >= 0, let repository, let database else {
            let failure = GitFailure(code: code)
            git_repository_free(repository)
            throw failure
        }
        return (repository, database)
    }

    private static func create(_ path: String) throws(GitFailure) {
        var repository: OpaquePointer?
        try check(git_repository_init(&repository, path, 1))
        git_repository_free(repository)
    }

    /// Removes what a killed fetch left: locks of references, and packs without an index.
    private static func sweep(_ path: String) {
        func removeLocks(_ directory: String, depth: Int) {
            for name in (try? Files.list(directory)) ?? [] {
                let child = "\(directory)/\(name)"
                if name.hasSuffix(".lock") {
                    try? Files.remove(child)
                } else if depth < 32, Files.isDirectory(child) {
                    removeLocks(child, depth: depth + 1)
                }
            }
        }
        for name in ["HEAD.lock", "config.lock", "packed-refs.lock"] { try? Files.remove("\(path)/\(name)") }
        removeLocks("\(path)/refs", depth: 0)
        let packs = "\(path)/objects/pack"
        let names = Set((try? Files.list(packs)) ?? [])
        for name in names {
            let base = name.hasSuffix(".pack") || name.hasSuffix(".idx") ? name.prefix { $0 != "." } : ""
            if base.isEmpty || !names.contains("\(base).idx") || !names.contains("\(base).pack") {
                try? Files.remove("\(packs)/\(name)")
            }
        }
    }

    /// Whether the object with this name (40 hex digits) is here.
    public func contains(_ commit: String) -> Bool {
        guard var id = ObjectID(hex: commit)?.value else { return false }
        return git_odb_exists(database, &id) == 1
    }

    /// The names of the packs, without `.pack`.
    private static func packs(in path: String) -> [String] {
        ((try? Files.list("\(path)/objects/pack")) ?? []).filter { $0.hasSuffix(".pack") }.map {
            String($0.dropLast(5))
        }
    }

    /// Writes one pack of what the branches reach and removes the others, with what only a force push or
    /// a deleted branch still needed.
    private static func consolidate(_ path: String) throws(GitFailure) {
        let old = packs(in: path)
        let (repository, database) = try open(path)
        var builder: OpaquePointer?
        var walk: OpaquePointer?
        defer {
            git_revwalk_free(walk)
            git_packbuilder_free(builder)
            git_odb_free(database)
            git_repository_free(repository)
        }
        try check(git_packbuilder_new(&builder, repository))
        try check(git_revwalk_new(&walk, repository))
        for glob in ["refs/heads/*", "refs/tags/*"] { try check(git_revwalk_push_glob(walk, glob)) }
        try check(git_packbuilder_insert_walk(builder, walk))
        try insertTags(of: repository, into: builder)
        try check(git_packbuilder_write(builder, nil, 0, nil, nil))
        guard let name = git_packbuilder_name(builder).map({ "pack-\(String(cString: $0))" }),
            packs(in: path).contains(name)
        else { return }
        // A kill in between leaves an index without its pack, which `sweep` removes.
        for pack in old where pack != name {
            for suffix in ["pack", "idx"] { try? Files.remove("\(path)/objects/pack/\(pack).\(suffix)") }
        }
    }

    /// The objects of annotated tags, which a walk over commits leaves out.
    private static func insertTags(of repository: OpaquePointer, into builder: OpaquePointer?)
        throws(GitFailure)
    {
        var iterator: OpaquePointer?
        try check(git_reference_iterator_glob_new(&iterator, repository, "refs/tags/*"))
        defer { git_reference_iterator_free(iterator) }
        var reference: OpaquePointer?
        while true {
            let code = git_reference_next(&reference, iterator)
            if code == GIT_ITEROVER.rawValue { return }
            try check(code)
            defer { git_reference_free(reference) }
            guard let target = git_reference_target(reference) else { continue }
            try check(git_packbuilder_insert_recur(builder, target, nil))
        }
    }

    /// A connection that `fetch` uses.
    public func remote(_ access: GitAccess) throws(VoltError) -> GitRemote {
        try GitRemote(access, repository: handle)
    }

    /// Downloads what is missing of a branch or tag.
    ///
    /// - Parameters:
    ///   - reference: the whole name of the reference.
    ///   - tip: its commit, as the same connection told it.
    /// - Throws: `VoltError`, or `GitDamage` when the tip is not here afterwards: a reference in the mirror
    ///   says that it was, and so it was not asked for.
    public func fetch(_ reference: String, tip: String, from remote: GitRemote) throws {
        try remote.fetch([reference])
        guard contains(tip) else { throw GitDamage(reason: "the tip of \(reference) did not come") }
    }

    /// Downloads what is missing of several branches and tags.
    ///
    /// - Parameter references: whole names, or patterns such as `refs/heads/*`.
    public func fetch(_ references: [String], from remote: GitRemote) throws { try remote.fetch(references) }
}

/// What a commit says about itself.
public struct GitCommit: Sendable, Equatable {
    /// 40 hex digits.
    public let id: String
    /// The first line of the message, at most 200 bytes, without control characters.
    public let subject: String
    /// The name of the author, likewise.
    public let author: String
}

extension GitMirror {
    /// Reads a commit and the names and sizes of its files, and checks them against the limits before a
    /// byte is written.
    ///
    /// - Parameters:
    ///   - id: 40 hex digits.
    ///   - submodules: whether they become empty directories, to be filled by the caller, or are left out.
    ///   - pointers: whether files of Git LFS are told by their paths, or noted.
    /// - Throws: `GitDamage`, or `VoltError` when the tree is refused.
    public func plan(
        _ id: String, limits: TreeLimits = TreeLimits(), submodules: Bool = false,
        pointers: Bool = false
    ) throws -> TreePlan {
        do {
            guard var name = ObjectID(hex: id)?.value else {
                throw VoltError(
                    .usage, "'\(id)' is not the name of a commit", hint: "write all 40 hex digits")
            }
            var commit: OpaquePointer?
            try check(git_commit_lookup(&commit, handle, &name))
            defer { git_commit_free(commit) }
            let subject = git_commit_summary(commit).map { String(cString: $0) } ?? ""
            let author = git_commit_author(commit)?.pointee.name.map { String(cString: $0) } ?? ""
            guard let tree = git_commit_tree_id(commit)?.pointee else {
                throw GitDamage(reason: "a commit has no tree")
            }
            var planner = TreePlanner(
                mirror: self, limits: limits, keepsSubmodules: submodules,
                keepsPointers: pointers)
            try planner.add(tree: tree)
            return TreePlan(
                commit: GitCommit(id: id, subject: Self.line(subject), author: Self.line(author)),
                files: planner.files, bytes: planner.bytes, notes: planner.notes, submodules: planner.kept,
                pointers: planner.keptPointers,
                entries: planner.entries)
        } catch let failure as GitFailure {
            throw failure.asDamage(of: "commit \(id.prefix(12))")
        }
    }

    private static func line(_ text: String) -> String {
        PrintableText.line(text, limit: 200, replacement: " ")
    }
}

extension GitFailure {
    /// A damaged object is worth another fetch; anything else is told as it is.
    func asDamage(of subject: String) -> any Error {
        isDamage ? GitDamage(reason: message) : VoltError(.failed, "cannot read \(subject): \(message)")
    }
}
