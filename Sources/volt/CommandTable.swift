/// A command that is part of `volt` itself.
struct BuiltIn: Sendable {
    let name: String
    let summary: String
    let usage: String
    let help: String
    let run: @Sendable (Session, [[UInt8]]) -> Int32
}

/// A tool of Volt, installed on its own.
struct FirstParty: Sendable {
    let name: String
    let summary: String
    /// False while the name is only kept for the tool.
    var isReleased = true
}

/// Tools that stand together in the help.
struct Group: Sendable {
    /// What `group` in an extension's metadata says.
    let name: String
    let title: String
    let tools: [FirstParty]
}

/// The commands that `volt` knows without looking at the disk, so that help works with nothing installed.
enum CommandTable {
    static let groups: [Group] = [
        Group(
            name: "deploy", title: "Deploy",
            tools: [
                FirstParty(name: "gitops", summary: "GitOps pipelines: a push ends in a running workload"),
                FirstParty(
                    name: "compose", summary: "constellations: several workloads from one file",
                    isReleased: false),
            ]),
        Group(
            name: "run", title: "Run",
            tools: [
                FirstParty(name: "container", summary: "run containers on systemd-nspawn"),
                FirstParty(name: "vm", summary: "run virtual machines on VoltVisor", isReleased: false),
                FirstParty(name: "service", summary: "manage the systemd services of Volt"),
            ]),
        Group(
            name: "store", title: "Store",
            tools: [
                FirstParty(name: "cas", summary: "keep content by its digest in Stellarium"),
                FirstParty(name: "registry", summary: "serve and use OCI registries"),
            ]),
        Group(
            name: "network", title: "Network",
            tools: [
                FirstParty(name: "mesh", summary: "join hosts into one encrypted network", isReleased: false),
                FirstParty(name: "ingress", summary: "bring HTTP and HTTPS to workloads", isReleased: false),
            ]),
        Group(
            name: "secure", title: "Secure",
            tools: [
                FirstParty(name: "landlock", summary: "run programs under Landlock rules", isReleased: false)
            ]),
    ]

    static let builtIns: [BuiltIn] = [
        HelpCommand.builtIn, VersionCommand.builtIn, PluginsCommand.builtIn, WhichCommand.builtIn,
        AliasesCommand.builtIn,
    ]

    /// Names that no extension and no alias can have, beside those of the tools.
    static let reserved = builtIns.map(\.name) + ["exec"]

    static func builtIn(_ name: String) -> BuiltIn? { builtIns.first { $0.name == name } }

    static func firstParty(_ name: String) -> FirstParty? {
        for group in groups { if let tool = group.tools.first(where: { $0.name == name }) { return tool } }
        return nil
    }

    static var firstParties: [FirstParty] { groups.flatMap(\.tools) }
}
