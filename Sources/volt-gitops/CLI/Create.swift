import ArgumentParser
import GitopsEngine
import VoltCLI
import VoltCore
import VoltSystem

struct Create: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "create", abstract: "Create a pipeline.",
        discussion: """
            Example:
              volt gitops create --name site --repo https://git.example/team/site.git \\
                  --provider github --branch main --workload web \\
                  --secret-file hook.secret
              volt gitops create --name api --repo https://git.example/team/api.git \\
                  --provider gitea --tag '^2.1' --submodules --lfs --workload api \\
                  --secret-file hook.secret
            """)

    @Option(help: "The name of the pipeline.") var name: String
    @Option(help: "The URL of the repository: https://, ssh://, user@host:path, svn://.") var repo: String
    @Option(help: "Where pushes come from: github, gitlab, bitbucket, gitea, forgejo, generic or svn.")
    var provider: String
    @Option(help: "The workload on this host that follows it.") var workload: String
    @Option(help: "The secret of the hook; it shows in the process list, --secret-file does not.")
    var secret: String?
    @Option(help: "A file with the secret of the hook; a newline at its end is left out.") var secretFile:
        String?
    @Flag(help: "Read the secret of the hook from stdin.") var secretStdin = false
    @Flag(help: "Take webhooks without a signature from anyone.") var insecureNoSecret = false
    @Option(help: "Seconds between two polls.") var pollInterval: Int64 = 60
    @Option(help: "The directory of the repository that holds the manifest.") var path = ""
    @Option(help: "How long an attempt may take, such as 10m.") var timeout = "10m"
    @Option(help: "A private key for SSH.") var sshKey: String?
    @Option(help: "A file with the pinned host keys, as ssh-keyscan prints them.") var knownHosts: String?
    @Option(help: "The user name for https.") var username: String?
    @Option(help: "A file with the token or password for https.") var tokenFile: String?
    @Option(help: "A file with certificates to trust.") var caFile: String?
    @Flag(name: .customLong("allow-http"), help: "Allow http://, which anyone on the way can change.")
    var allowHTTP = false
    @Flag(help: "Allow file:// and local paths.") var allowFile = false
    @OptionGroup(title: "Private repositories") var access: PrivateOptions
    @OptionGroup(title: "Notifications") var notify: NotifyOptions

    @OptionGroup(title: "What to deploy") var track: TrackArguments

    @OptionGroup(title: "When to deploy") var control: ControlArguments
    @OptionGroup var retry: RetryOptions

    func run() throws {
        let (gitops, context) = try VoltGitops.engine()
        guard let from = Provider(rawValue: provider) else {
            throw VoltError(
                .usage, "'\(provider)' is not a provider",
                hint: "use one of \(Provider.allCases.map(\.rawValue).joined(separator: ", "))")
        }
        var pipeline = Pipeline(
            name: try Name(name, of: "pipeline"), repo: repo, provider: from, branch: try track.shown(),
            workload: try Name(workload, of: "workload"), createdAt: context.clock.now())
        pipeline.pollInterval = pollInterval
        pipeline.path = path
        pipeline.timeout = try DurationText.parse(timeout).milliseconds / 1000
        pipeline.username = username
        pipeline.sshKey = try ExistingFile.path(sshKey, of: "--ssh-key")
        pipeline.knownHosts = try ExistingFile.path(knownHosts, of: "--known-hosts")
        pipeline.tokenFile = try ExistingFile.path(tokenFile, of: "--token-file")
        pipeline.caFile = try ExistingFile.path(caFile, of: "--ca-file")
        pipeline.allowHTTP = allowHTTP
        pipeline.allowFile = allowFile
        // Before anything that asks the server: a pattern of tags is no name of a branch.
        try track.fill(&pipeline)
        let hostKey = try access.fill(&pipeline, gitops)
        try control.fill(&pipeline)
        pipeline.notify = try notify.settings(for: pipeline, gitops)
        try retry.fill(&pipeline)
        let url = try gitops.create(
            pipeline, secret: try given(), hostKey: hostKey, insecure: insecureNoSecret)
        Output.note(
            "created pipeline '\(name)': \(track.branch.map { "branch '\($0)'" } ?? pipeline.branch) of '\(url)' to workload '\(workload)'"
        )
        if from == .svn {
            Output.note("it is polled every \(pollInterval) s by 'volt gitops serve'")
        } else {
            Output.note("point the hook of the provider to http://HOST:9090/hooks/\(from.rawValue)")
        }
    }

    private func given() throws(VoltError) -> [UInt8]? {
        try SecretInput.read(
            value: secret, file: secretFile, stdin: secretStdin,
            options: "--secret-file, --secret-stdin, --secret")
    }
}
