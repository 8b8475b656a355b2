internal import ArgumentParser
internal import ContainerEngine
internal import VoltCLI
internal import VoltCore
internal import VoltSystem

struct Images: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "images", abstract: "list the images of this host",
        discussion: """
            One row a name; an image without a name is shown as '-'.

              volt container images
              volt container images --quiet
              volt container images -o json
            """)

    @OptionGroup var list: ListOptions

    struct Row: ListDisplayable {
        let names: [String]
        let digest: Digest
        let created: Timestamp
        let size: UInt64
        let layers: Int
        let config: ImageConfig

        static let header = ["NAME", "DIGEST", "SIZE", "CREATED"]

        func rows(at now: Timestamp) -> [[String]] {
            (names.isEmpty ? ["-"] : names).map { name in
                [name, digest.short, ByteSize(bytes: size).description, created.relative(to: now)]
            }
        }

        var quietValue: String { digest.description }
    }

    func run() throws {
        let context = try ToolContext(tool: VoltContainer.tool.name)
        let images = try ImageStore(paths: context.paths, clock: context.clock).images()
        let rows = images.map {
            Row(
                names: $0.names, digest: $0.digest, created: $0.created, size: $0.size,
                layers: $0.layers.count,
                config: $0.config)
        }
        try list.render(rows, at: context.clock.now())
    }
}
