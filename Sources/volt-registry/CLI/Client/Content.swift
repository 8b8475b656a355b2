internal import ArgumentParser
internal import VoltCLI
internal import VoltCore
internal import VoltOCI
internal import VoltRegistry
internal import VoltSystem

struct ManifestCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "manifest", abstract: "Fetch, push or delete a manifest.",
        subcommands: [Fetch.self, Push.self, Delete.self])

    struct Fetch: ParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "fetch", abstract: "Print a manifest, byte by byte.",
            discussion: """
                Example:
                  volt registry manifest fetch localhost:5000/team/web:1.4
                """)
        @OptionGroup var client: ClientOptions
        @Option(help: ArgumentHelp("That of the image for this platform.", valueName: "platform"))
        var platform: PlatformArgument?
        @Argument(help: "HOST/REPOSITORY:TAG or oci:DIRECTORY:TAG.", transform: Target.parse) var target:
            Target

        func run() throws {
            let place = try client.open(target)
            var manifest = try place.manifest(target.reference)
            if let platform { manifest = try ContentCopy.select(manifest, platform.platform, place) }
            try Output.put(bytes: manifest.bytes)
        }
    }

    struct Push: ParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "push", abstract: "Push a manifest whose blobs are there.",
            discussion: """
                Example:
                  volt registry manifest push localhost:5000/team/web:1.4 manifest.json
                """)
        @OptionGroup var client: ClientOptions
        @Option(help: ArgumentHelp("What it is, when it does not say so itself.", valueName: "type"))
        var mediaType: String?
        @Argument(help: "HOST/REPOSITORY:TAG or oci:DIRECTORY:TAG.", transform: Target.parse) var target:
            Target
        @Argument(help: "A file, or - for standard input.") var file: String

        func run() throws {
            let path = file == "-" ? "/dev/stdin" : file
            let bytes = try Files.read(path, limit: OCIDocument.longest)
            let document = try OCIDocument(checking: bytes, type: mediaType)
            let type = mediaType ?? document.mediaType ?? OCIMediaType.manifest
            let manifest = try FetchedManifest(digest: .of(bytes), mediaType: type, bytes: bytes)
            try client.open(target).put(manifest, tag: target.newTag)
            try Output.put(manifest.digest)
        }
    }

    struct Delete: ParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "delete", abstract: "Delete a manifest with all of its tags.",
            discussion: """
                Example:
                  volt registry manifest delete --force localhost:5000/team/web:1.4
                """)
        @OptionGroup var client: ClientOptions
        @Flag(help: "Delete it.") var force = false
        @Argument(help: "HOST/REPOSITORY:TAG or @DIGEST.", transform: Target.parse) var target: Target

        func run() throws {
            guard case .repository(let host, let name) = target.place else {
                throw ValidationError("name a manifest of a repository")
            }
            let registry = try client.client(host)
            guard let digest = try registry.resolve(target.reference, in: name) else {
                throw VoltError(.notFound, "'\(host)/\(name)' has no '\(target.reference)'")
            }
            guard force else {
                throw VoltError(
                    .usage, "'\(host)/\(name)@\(digest)' would go with all of its tags",
                    hint: "say so with --force, or take a tag away with 'volt registry untag'")
            }
            try Self.remove(digest, in: name, registry)
        }

        /// Nil for what nobody should pull, which can be taken away all the same.
        private static func readable(
            _ digest: OCIDigest, in name: OCIRepositoryName, _ registry: RegistryClient
        ) throws(VoltError) -> FetchedManifest? {
            do throws(VoltError) { return try registry.manifest(digest.description, in: name) } catch {
                guard error.code == .refused else { throw error }
                return nil
            }
        }

        /// Also what lies under the tags that belong to it: nobody finds that any more.
        private static func remove(
            _ digest: OCIDigest, in name: OCIRepositoryName, _ registry: RegistryClient, depth: Int = 0
        ) throws {
            let manifest = try readable(digest, in: name, registry)
            let place = RepositoryPlace(registry, name)
            let companions = try OCICompanionTag.tags(of: digest).compactMap { tag in
                guard let other = try place.resolve(tag.description), other != digest else {
                    return nil as OCIDigest?
                }
                guard OCICompanionTag(tag.description)?.isList == true else { return other }
                // What else has that name is somebody's image.
                return try OCIMediaType.indexes.contains(place.manifest(tag.description).mediaType)
                    ? other : nil
            }
            try registry.deleteManifest(digest.description, in: name)
            if let manifest { try registry.removeReferrer(manifest, in: name) }
            // Tags may lead in a circle.
            for other in companions where depth < 8 {
                do { try remove(other, in: name, registry, depth: depth + 1) } catch let error as VoltError
                    where error.code == .notFound
                {}
            }
        }
    }
}

struct BlobCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "blob", abstract: "Fetch, push or delete a blob.",
        subcommands: [Fetch.self, Push.self, Delete.self])

    struct Fetch: ParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "fetch", abstract: "Write a blob to a file, verified.",
            discussion: """
                Example:
                  volt registry blob fetch --output layer.tar.gz \\
                      localhost:5000/team/web@sha256:…
                """)
        @OptionGroup var client: ClientOptions
        @Option(help: ArgumentHelp("The file; - is standard output.", valueName: "file")) var output: String
        @Argument(help: "HOST/REPOSITORY@DIGEST.", transform: Target.parse) var target: Target

        func run() throws {
            guard case .repository(let host, let name) = target.place, let digest = target.digest else {
                throw ValidationError("name a blob by its digest: HOST/REPOSITORY@DIGEST")
            }
            let path = output == "-" ? "-" : Files.absolute(output, from: Files.currentDirectory)
            try client.client(host).fetch(digest, in: name, to: path)
        }
    }

    struct Push: ParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "push", abstract: "Push a file as a blob, and print its digest.",
            discussion: """
                Example:
                  volt registry blob push localhost:5000/team/web layer.tar.gz
                """)
        @OptionGroup var client: ClientOptions
        @Argument(help: "HOST/REPOSITORY or oci:DIRECTORY.", transform: Target.parse) var target: Target
        @Argument(help: "The file.") var file: String

        func run() throws {
            try Output.put(Artifact.pushBlob(file, to: try client.open(target, makes: true)))
        }
    }

    struct Delete: ParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "delete", abstract: "Delete a blob of a repository.",
            discussion: """
                Example:
                  volt registry blob delete --force localhost:5000/team/web@sha256:…
                """)
        @OptionGroup var client: ClientOptions
        @Flag(help: "Delete it.") var force = false
        @Argument(help: "HOST/REPOSITORY@DIGEST.", transform: Target.parse) var target: Target

        func run() throws {
            guard case .repository(let host, let name) = target.place, let digest = target.digest else {
                throw ValidationError("name a blob by its digest: HOST/REPOSITORY@DIGEST")
            }
            guard force else {
                throw VoltError(
                    .usage, "images that need '\(digest)' could not be pulled any more",
                    hint: "say so with --force")
            }
            try client.client(host).deleteBlob(digest, in: name)
        }
    }
}
