internal import ArgumentParser
internal import Glibc
internal import VoltCLI
internal import VoltCore
internal import VoltServiceCLI
internal import VoltSystemd
internal import VoltWorkloadCLI

/// `volt-container`.
@main struct VoltContainer: Tool {
    static let tool = ToolDescription(
        name: "container", version: VoltVersion.text, summary: "run containers on systemd-nspawn",
        kinds: ["container"], units: ContainerStartup.startup.units, instances: "ps")

    static let configuration = CommandConfiguration(
        tool: tool,
        groupedSubcommands: [
            CommandGroup(
                name: "Containers:",
                subcommands: [
                    Run.self, Create.self, Start.self, Stop.self, Restart.self, Rm.self, Ps.self,
                    Inspect.self,
                    Logs.self, Exec.self,
                ]),
            CommandGroup(
                name: "Images:",
                subcommands: [Import.self, Pull.self, Push.self, Build.self, Images.self, Rmi.self]),
            CommandGroup(
                name: "Workloads:",
                subcommands: [
                    ApplyCommand<Workloads>.self, StatusCommand<Workloads>.self, ListCommand<Workloads>.self,
                    RemoveCommand<Workloads>.self, InstallStartup<ContainerStartup>.self,
                ]),
        ])

    static func main() {
        // The root of a container, and what an image is made of, is open to the users in it, whatever the
        // umask of the shell or service is; what is not for others is given its mode.
        umask(0o022)
        runTool()
    }
}
