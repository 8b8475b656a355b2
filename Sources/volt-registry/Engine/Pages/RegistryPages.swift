internal import FoundationEssentials
internal import Glibc
internal import VoltCore
internal import VoltOCI
internal import VoltPages
internal import VoltServer
internal import VoltStore
internal import VoltSystem

/// The read-only pages of `serve --ui`: repositories, tags, manifests, what is about them, and sizes.
struct RegistryPages {
    /// More are not shown.
    private static let rowLimit = 1000
    /// Bytes of a manifest's text.
    private static let textLimit = 64 << 10

    let storage: any Repositories
    let now: Timestamp
    /// Whether the reader may pull from a repository.
    let mayPull: (OCIRepositoryName) -> Bool

    /// The page at a path; nil when there is none.
    func page(_ path: String) throws -> HTTPResponse? {
        if path == "/" { return try overview() }
        guard path.hasPrefix("/repositories/"), let rest = Percent.decode(path.dropFirst(14)) else {
            return nil
        }
        let parts = rest.split(separator: "/", omittingEmptySubsequences: false)
        if parts.count >= 3, parts[parts.count - 2] == "manifests",
            let name = OCIRepositoryName(parsing: parts.dropLast(2).joined(separator: "/")), mayPull(name)
        {
            guard let digest = OCIDigest(parsing: parts[parts.count - 1]) else { return nil }
            return try manifest(name, digest)
        }
        guard let name = OCIRepositoryName(parsing: rest), mayPull(name), try storage.exists(name) else {
            return nil
        }
        return try repository(name)
    }

    private func overview() throws -> HTTPResponse {
        let names = try storage.repositories().filter(mayPull)
        let rows = try names.prefix(Self.rowLimit).map { name -> HTML in
            let usage = try storage.usage(of: name)
            return """
                <tr><td><a href="/repositories/\(name.description)">\(name.description)</a></td>\
                <td>\(Int64(try storage.tags(in: name).count))</td><td>\(Int64(usage.blobs))</td>\
                <td>\(ByteSize(bytes: usage.bytes).description)</td></tr>

                """
        }
        let none: HTML = rows.isEmpty ? "<p>There is no repository yet: a push makes one.</p>" : ""
        return Page.response(
            "Repositories - volt registry",
            """
            <h1>Repositories</h1>
            <table><thead><tr><th>Name</th><th>Tags</th><th>Blobs</th><th>Size</th></tr></thead><tbody>
            \(rows)</tbody></table>
            \(none)\(Self.more(names.count))
            """)
    }

    private static func more(_ count: Int) -> HTML {
        count > rowLimit ? "<p>\(Int64(count - rowLimit)) more are not shown.</p>" : ""
    }

    private func repository(_ name: OCIRepositoryName) throws -> HTTPResponse {
        let tags = try storage.tags(in: name)
        var rows: [HTML] = []
        for tag in tags.prefix(Self.rowLimit) {
            guard let found = try storage.manifest(.tag(tag), in: name) else { continue }
            let document = try? OCIDocument(found.bytes)
            rows.append(
                """
                <tr><td>\(tag.description)</td><td>\(Self.kind(found, document))</td>\
                <td>\(Self.link(name, found.digest.description))</td>\
                <td>\(ByteSize(bytes: Self.size(document)).description)</td>\
                <td>\(storage.pushed(tag, in: name).relative(to: now))</td></tr>

                """)
        }
        return Page.response(
            "\(name) - volt registry",
            """
            <p><a href="/">Repositories</a></p>
            <h1>\(name.description)</h1>
            <table><thead><tr><th>Tag</th><th>Kind</th><th>Digest</th><th>Size</th><th>Pushed</th></tr></thead><tbody>
            \(rows)</tbody></table>
            \(Self.more(tags.count))
            """)
    }

    private func manifest(_ name: OCIRepositoryName, _ digest: OCIDigest) throws -> HTTPResponse? {
        guard let found = try storage.manifest(.digest(digest), in: name) else { return nil }
        let document = try? OCIDocument(found.bytes)
        var facts: [HTML] = [
            "<dt>Digest</dt><dd>\(digest.description)</dd>", "<dt>Media type</dt><dd>\(found.mediaType)</dd>",
            "<dt>Kind</dt><dd>\(Self.kind(found, document))</dd>",
            "<dt>Size</dt><dd>\(ByteSize(bytes: Self.size(document)).description)</dd>",
        ]
        let tags = try storage.tags(in: name).prefix(Self.rowLimit).filter {
            try storage.tag($0, in: name) == digest
        }
        if !tags.isEmpty {
            facts.append("<dt>Tags</dt><dd>\(tags.map(\.description).joined(separator: ", "))</dd>")
        }
        if let subject = document?.subject {
            facts.append("<dt>About</dt><dd>\(Self.link(name, subject.digest))</dd>")
        }
        for (key, value) in (document?.annotations ?? [:]).sorted(by: { $0.key < $1.key }).prefix(100) {
            facts.append("<dt>\(String(key.prefix(200)))</dt><dd>\(String(value.prefix(2000)))</dd>")
        }
        let referrers = try storage.referrers(to: digest, type: nil, after: nil, in: name).descriptors
        return Page.response(
            "\(name)@\(digest.hex.prefix(12)) - volt registry",
            """
            <p><a href="/">Repositories</a> / <a href="/repositories/\(name.description)">\(name.description)</a></p>
            <h1>\(String(digest.hex.prefix(12)))</h1>
            <dl>\(facts)</dl>
            \(Self.table("Manifests", document?.manifests ?? [], name))
            \(Self.table("Configuration and layers", document?.blobs ?? [], nil))
            \(Self.table("About it", referrers, name))
            <h2>Manifest</h2><pre>\(String(decoding: found.bytes.prefix(Self.textLimit), as: UTF8.self))</pre>
            """)
    }

    /// - Parameter name: of the repository, when the descriptors are of manifests.
    private static func table(_ title: String, _ descriptors: [OCIDescriptor], _ name: OCIRepositoryName?)
        -> HTML
    {
        if descriptors.isEmpty { return "" }
        let rows = descriptors.prefix(rowLimit).map { descriptor -> HTML in
            let title =
                descriptor.platform?.description ?? descriptor.annotations?["org.opencontainers.image.title"]
                ?? ""
            return """
                <tr><td>\(name.map { link($0, descriptor.digest) } ?? "\(short(descriptor.digest))")</td>\
                <td>\(String((descriptor.artifactType ?? descriptor.mediaType ?? "").prefix(255)))</td>\
                <td>\(String(title.prefix(255)))</td><td>\(ByteSize(bytes: descriptor.size).description)</td></tr>

                """
        }
        return """
            <h2>\(title)</h2>
            <table><thead><tr><th>Digest</th><th>Type</th><th>Platform or title</th><th>Size</th></tr></thead><tbody>
            \(rows)</tbody></table>
            """
    }

    private static func link(_ name: OCIRepositoryName, _ digest: String) -> HTML {
        guard OCIDigest(parsing: digest) != nil else { return "\(String(digest.prefix(140)))" }
        return "<a href=\"/repositories/\(name.description)/manifests/\(digest)\">\(short(digest))</a>"
    }

    private static func short(_ digest: String) -> String {
        String((digest.split(separator: ":").last ?? "").prefix(12))
    }

    private static func kind(_ manifest: StoredManifest, _ document: OCIDocument?) -> String {
        if OCIMediaType.indexes.contains(manifest.mediaType) { return "index" }
        if let type = document?.artifactType { return String(type.prefix(255)) }
        return OCIMediaType.configs.contains(document?.config?.mediaType ?? "") ? "image" : "artifact"
    }

    private static func size(_ document: OCIDocument?) -> UInt64 {
        ((document?.blobs ?? []) + (document?.manifests ?? [])).reduce(0) { $0.addingClamped($1.size) }
    }
}

extension RegistryStorage {
    /// The blobs of a repository and their bytes.
    func usage(of name: OCIRepositoryName) throws -> (blobs: Int, bytes: UInt64) {
        var result = (blobs: 0, bytes: UInt64(0))
        for entry in try Files.list("\(directory(name))/_blobs") {
            guard let digest = try? Digest(entry) else { continue }
            result.blobs += 1
            result.bytes = result.bytes.addingClamped((try? store.size(of: digest)) ?? 0)
        }
        return result
    }

    /// When a tag was given last.
    func pushed(_ tag: OCITagName, in name: OCIRepositoryName) -> Timestamp {
        var information = stat()
        guard stat("\(directory(name))/_tags/\(tag)", &information) == 0 else {
            return Timestamp(milliseconds: 0)
        }
        return Timestamp(
            milliseconds: Int64(information.st_mtim.tv_sec).multipliedClamped(by: 1000)
                .addingClamped(Int64(information.st_mtim.tv_nsec) / 1_000_000))
    }
}
