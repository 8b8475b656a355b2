internal import ArgumentParser
internal import VoltCLI
internal import VoltCore
internal import VoltServiceCLI
internal import VoltSystemd

/// `volt registry`.
@main struct RegistryTool: Tool {
    static let tool = ToolDescription(
        name: "registry", version: VoltVersion.text,
        summary: "serve and use OCI registries", units: RegistryServiceUnit.service.units,
        portVariable: RegistryServiceUnit.service.portVariable)
    static let configuration = CommandConfiguration(
        tool: tool,
        groupedSubcommands: [
            CommandGroup(name: "Server", subcommands: [Serve.self, InstallService<Serve>.self, GC.self]),
            CommandGroup(name: "Logins", subcommands: [Login.self, Logout.self]),
            CommandGroup(
                name: "Images and artifacts",
                subcommands: [
                    CopyImage.self, PushArtifact.self, PullArtifact.self, Attach.self, Discover.self,
                    Backup.self, Restore.self, Sync.self,
                ]),
            CommandGroup(name: "Signatures", subcommands: [Sign.self, Verify.self, KeyCommand.self]),
            CommandGroup(
                name: "Names and content",
                subcommands: [
                    ListNames.self, Resolve.self, TagManifest.self, Untag.self, ManifestCommand.self,
                    BlobCommand.self,
                ]),
        ])
    static func main() { runTool() }
}
