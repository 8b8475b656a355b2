internal import CGit2
internal import Glibc
internal import VoltCore

/// A signature, and the bytes that it is over.
public typealias GitSignature = (signature: [UInt8], data: [UInt8])

extension GitMirror {
    /// The signature of a commit; nil when the commit has none.
    ///
    /// - Throws: `GitDamage`, or `VoltError`.
    public func signature(of id: String) throws -> GitSignature? {
        guard var name = ObjectID(hex: id)?.value else { return nil }
        return try reading("commit \(id.prefix(12))") { () throws(GitFailure) in
            var signature = git_buf()
            var data = git_buf()
            let code = git_commit_extract_signature(&signature, &data, handle, &name, nil)
            if code == GIT_ENOTFOUND.rawValue { return nil }
            try check(code)
            defer {
                git_buf_dispose(&signature)
                git_buf_dispose(&data)
            }
            return (Self.bytes(signature), Self.bytes(data))
        }
    }

    /// The names of the tags that are here and lead to a commit, without `refs/tags/`.
    ///
    /// - Throws: `GitDamage`, or `VoltError`.
    public func tags(of commit: String) throws -> [String] {
        try reading("the tags") { () throws(GitFailure) in
            var iterator: OpaquePointer?
            try check(git_reference_iterator_glob_new(&iterator, handle, "refs/tags/*"))
            defer { git_reference_iterator_free(iterator) }
            var names: [String] = []
            var reference: OpaquePointer?
            while true {
                let code = git_reference_next(&reference, iterator)
                if code == GIT_ITEROVER.rawValue { return names }
                try check(code)
                defer { git_reference_free(reference) }
                var object: OpaquePointer?
                // A tag of a tree, or one whose object is not here, leads to no commit.
                guard git_reference_peel(&object, reference, GIT_OBJECT_COMMIT) == 0 else { continue }
                defer { git_object_free(object) }
                guard let id = git_object_id(object)?.pointee, ObjectID(id).hex == commit,
                    let name = git_reference_name(reference).map({ String(cString: $0) })
                else { continue }
                names.append(String(name.dropFirst("refs/tags/".count)))
            }
        }
    }

    /// The signature of an annotated tag; nil when it has none, is of another name, or is not annotated.
    ///
    /// The name within the tag counts, because it is signed: whoever may push could give the signed tag of an
    /// old version the name of a new one.
    ///
    /// - Parameter tag: its name, without `refs/tags/`.
    /// - Throws: `GitDamage`, or `VoltError`.
    public func signature(ofTag tag: String) throws -> GitSignature? {
        try reading("tag '\(tag)'") { () throws(GitFailure) in
            var id = git_oid()
            try check(git_reference_name_to_id(&id, handle, "refs/tags/\(tag)"))
            var object: OpaquePointer?
            guard git_tag_lookup(&object, handle, &id) == 0 else { return nil }
            defer { git_tag_free(object) }
            guard let name = git_tag_name(object), strcmp(name, tag) == 0 else { return nil }
            var raw: OpaquePointer?
            try check(git_odb_read(&raw, database, &id))
            defer { git_odb_object_free(raw) }
            let bytes = UnsafeRawBufferPointer(
                start: git_odb_object_data(raw), count: git_odb_object_size(raw)
            ).map { $0 }
            return Self.split(bytes)
        }
    }

    /// The signature stands at the end of a tag; as git has it, the last line that begins one counts.
    private static func split(_ tag: [UInt8]) -> GitSignature? {
        let marks = [
            "-----BEGIN SSH SIGNATURE-----", "-----BEGIN PGP SIGNATURE-----", "-----BEGIN PGP MESSAGE-----",
        ]
        .map { Array($0.utf8) }
        var start: Int?
        var line = 0
        while line < tag.count {
            let rest = tag[line...]
            if marks.contains(where: { rest.starts(with: $0) }) { start = line }
            line = (rest.firstIndex(of: 10) ?? tag.count) + 1
        }
        return start.map { (Array(tag[$0...]), Array(tag[..<$0])) }
    }

    private static func bytes(_ buffer: git_buf) -> [UInt8] {
        UnsafeRawBufferPointer(start: buffer.ptr, count: buffer.size).map { $0 }
    }
}
