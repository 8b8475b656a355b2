import ArgumentParser
import GitopsEngine
import VoltCLI
import VoltCore
import VoltSystem

struct Import: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "import", abstract: "Create and update pipelines from a file.",
        discussion: """
            All pipelines of the file are written, or none. Those that are not in it stay, unless --prune is \
            given; workloads go on in every case. A new commit is deployed by the next poll or push, another \
            setting by 'volt gitops sync'.

            Examples:
              volt gitops import pipelines.yaml --dry-run
              volt gitops import pipelines.yaml --prune
            """)

    @Argument(help: "A file as 'volt gitops export' writes it; '-' is stdin.") var file: String
    @Flag(help: "Only say what would change.") var dryRun = false
    @Flag(help: "Delete the pipelines that are not in the file.") var prune = false
    @OptionGroup var output: OutputOptions

    func run() throws {
        let (gitops, _) = try VoltGitops.engine()
        let here = Files.currentDirectory
        let path = file == "-" ? "/dev/stdin" : Files.absolute(file, from: here)
        let plan = try gitops.planImport(
            try Files.read(path, limit: 1 << 20), file: file == "-" ? "stdin" : file,
            directory: file == "-" ? here : Files.parent(of: path), prunes: prune)
        if !dryRun { try gitops.apply(plan) }
        try Output.render(plan.changes, as: output.format) {
            var table = Table(["PIPELINE", "ACTION", "KEY", "OLD", "NEW"])
            for change in plan.changes {
                if change.properties.isEmpty { table.add([change.name, change.action.rawValue, "", "", ""]) }
                for property in change.properties {
                    table.add([
                        change.name, change.action.rawValue, property.key,
                        property.old.isEmpty ? "-" : property.old,
                        property.new.isEmpty ? "-" : property.new,
                    ])
                }
            }
            return table
        }
        guard output.format == .table else { return }
        let count = plan.changes.count { $0.action != .unchanged }
        Output.note(
            count == 0
                ? "nothing to change" : dryRun ? "dry run: nothing was changed" : "changed \(count) pipelines"
        )
    }
}
