internal import ArgumentParser
internal import VoltCLI
internal import VoltCore
internal import VoltOCI
internal import VoltRegistry

struct ListNames: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "ls",
        abstract: "List the repositories of a registry, or the tags of a repository.",
        discussion: """
            Examples:
              volt registry ls localhost:5000
              volt registry ls localhost:5000/team/web

            It exits with 3 when there are none.
            """)

    @OptionGroup var client: ClientOptions
    @OptionGroup var output: OutputOptions
    @Argument(help: "HOST, HOST/REPOSITORY or oci:DIRECTORY.") var what: String

    func run() throws {
        let names: [String]
        let isHost = !what.contains("/") && !what.hasPrefix("oci:")
        if isHost, let host = OCIReference.host(what) {
            names = try client.client(host).repositories()
        } else {
            names = try client.open(try Target.parse(what)).tags()
        }
        if output.format == .json {
            try Output.put(Output.json(names))
        } else {
            for name in names { try Output.put(name) }
        }
        guard names.isEmpty else { return }
        guard isHost else { throw VoltError(.notFound, "'\(what)' has no tags") }
        throw VoltError(
            .notFound, "'\(what)' shows no repositories",
            hint: "it has none, or none that this login may see: 'volt registry login \(what)'")
    }
}

struct Resolve: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "resolve", abstract: "Print the digest that a tag has.",
        discussion: """
            Example:
              volt registry resolve localhost:5000/team/web:1.4
            """)

    @OptionGroup var client: ClientOptions
    @Option(help: ArgumentHelp("Of the image for this platform.", valueName: "platform")) var platform:
        PlatformArgument?
    @Argument(help: "HOST/REPOSITORY:TAG or oci:DIRECTORY:TAG.", transform: Target.parse) var target: Target

    func run() throws {
        let place = try client.open(target)
        if let platform {
            let manifest = try place.manifest(target.reference)
            return try Output.put(ContentCopy.select(manifest, platform.platform, place).digest)
        }
        guard let digest = try place.resolve(target.reference) else {
            throw VoltError(.notFound, "'\(place.name)' has no '\(target.reference)'")
        }
        try Output.put(digest)
    }
}

struct TagManifest: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "tag",
        abstract: "Give a manifest further tags.",
        discussion: """
            Example:
              volt registry tag localhost:5000/team/web:1.4 1 latest
            """)

    @OptionGroup var client: ClientOptions
    @Argument(help: "HOST/REPOSITORY:TAG or oci:DIRECTORY:TAG.", transform: Target.parse) var target: Target
    @Argument(help: "The new tags.") var tags: [String]

    func run() throws {
        let place = try client.open(target)
        let names = try tags.map { (text) throws(VoltError) in try OCITagName(text) }
        let manifest = try place.manifest(target.reference)
        for tag in names { try place.put(manifest, tag: tag) }
    }
}

struct Untag: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "untag", abstract: "Take a tag away; the manifest and its other tags stay.",
        discussion: """
            Example:
              volt registry untag localhost:5000/team/web:old
            """)

    @OptionGroup var client: ClientOptions
    @Argument(help: "HOST/REPOSITORY:TAG.", transform: Target.parse) var target: Target

    func run() throws {
        guard case .repository(let host, let name) = target.place, let tag = target.tag, target.digest == nil
        else {
            throw ValidationError("name a tag of a repository, such as localhost:5000/team/web:old")
        }
        try client.client(host).deleteManifest(tag.description, in: name)
    }
}

struct Discover: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "discover", abstract: "Show what is about a manifest, and what is about that.",
        discussion: """
            Example:
              volt registry discover localhost:5000/team/web:1.4
            """)

    @OptionGroup var client: ClientOptions
    @OptionGroup var output: OutputOptions
    @Option(help: ArgumentHelp("Only of this type.", valueName: "type")) var artifactType: String?
    @Argument(help: "HOST/REPOSITORY:TAG or oci:DIRECTORY:TAG.", transform: Target.parse) var target: Target

    private struct Node: Encodable {
        let digest: String
        let artifactType: String
        var tag: String?
        let annotations: [String: String]?
        let referrers: [Node]
    }

    func run() throws {
        let place = try client.open(target)
        guard let digest = try place.resolve(target.reference) else {
            throw VoltError(.notFound, "'\(place.name)' has no '\(target.reference)'")
        }
        var seen: Set<String> = []
        let nodes = try nodes(digest, place, &seen, depth: 0)
        if output.format == .json {
            return try Output.put(
                Output.json(
                    Node(digest: digest.description, artifactType: "", annotations: nil, referrers: nodes)))
        }
        try Output.put("\(place.name)@\(digest)")
        try show(nodes, "")
    }

    private func nodes(
        _ digest: OCIDigest, _ place: any ContentPlace, _ seen: inout Set<String>, depth: Int
    ) throws -> [Node] {
        // Tags may lead in a circle.
        guard depth < 8, seen.insert(digest.description).inserted else { return [] }
        return try place.companions(of: digest).items.compactMap { companion in
            let descriptor = companion.descriptor
            guard artifactType == nil || descriptor.artifactType == artifactType else { return nil }
            return Node(
                digest: descriptor.digest,
                artifactType: PrintableText.line(descriptor.artifactType ?? "", limit: 255),
                tag: companion.tag?.description,
                annotations: descriptor.annotations,
                referrers: try nodes(try descriptor.digest(at: place), place, &seen, depth: depth + 1))
        }
    }

    private func show(_ nodes: [Node], _ indent: String) throws {
        for (index, node) in nodes.enumerated() {
            let isLast = index == nodes.count - 1
            let tag = node.tag.map { "  \($0)" } ?? ""
            try Output.put("\(indent)\(isLast ? "└── " : "├── ")\(node.artifactType)  \(node.digest)\(tag)")
            try show(node.referrers, indent + (isLast ? "    " : "│   "))
        }
    }
}
