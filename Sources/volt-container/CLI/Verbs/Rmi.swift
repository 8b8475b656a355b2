internal import ArgumentParser
internal import ContainerEngine
internal import VoltCLI
internal import VoltCore

struct Rmi: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "rmi", abstract: "remove images",
        discussion: """
            A name is taken away; the image goes with its last name. An image that a container uses stays.

              volt container rmi busybox:latest
            """)

    @Argument(help: "Names or digests of images.")
    var images: [String]
    @OptionGroup var output: OutputOptions

    struct Row: Encodable {
        let untagged: [String]
        let deleted: [Digest]
        let freed: UInt64
    }

    func run() async throws {
        let context = try ToolContext(tool: VoltContainer.tool.name)
        let store = try ImageStore(paths: context.paths, clock: context.clock)
        let inUse = try await ContainerHost.runtime(context).imagesInUse()
        var untagged: [String] = []
        var deleted: [Digest] = []
        var failures: [VoltError] = []
        for image in images {
            do throws(VoltError) {
                let removed = try store.remove(image, inUse: inUse)
                untagged += removed.untagged
                if let digest = removed.deleted { deleted.append(digest) }
            } catch { failures.append(error) }
        }
        let freed = try store.collect(inUse: Set(inUse.keys), grace: .zero)
        let row = Row(untagged: untagged, deleted: deleted, freed: freed)
        try Output.render(row, as: output.format) {
            var table = Table(["REMOVED", "IMAGE"])
            for name in untagged { table.add(["name", name]) }
            for digest in deleted { table.add(["image", digest.short]) }
            return table
        }
        guard let first = failures.first else { return }
        if images.count == 1 { throw first }
        for failure in failures { Output.note("\(context.displayName): error: \(failure.message)") }
        throw ExitStatus(ExitCode.partial.rawValue)
    }
}
