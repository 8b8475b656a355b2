internal import ArgumentParser
internal import ContainerEngine
internal import VoltCLI
internal import VoltCore
internal import VoltSystem

struct Images: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "list the images of this host",
        discussion: """
            One row a name; an image without a name is shown as '-'.

              volt container images
              volt container images -o json
            """)

    @OptionGroup var output: OutputOptions

    struct Row: Encodable {
        let names: [String]
        let digest: Digest
        let created: Timestamp
        let size: UInt64
        let layers: Int
        let config: ImageConfig
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
        try Output.render(rows, as: output.format) {
            var table = Table(["NAME", "DIGEST", "SIZE", "CREATED"])
            for image in images {
                for name in image.names.isEmpty ? ["-"] : image.names {
                    table.add([
                        name, image.digest.short, ByteSize(bytes: image.size).description,
                        image.created.relative(to: context.clock.now()),
                    ])
                }
            }
            return table
        }
    }
}
