import ArgumentParser
import GitopsEngine
import GitopsNotifications
import GitopsSource
import VoltCLI
import VoltCore
import VoltSystem

/// The options of `create` that say who is told about the attempts.
struct NotifyOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "Tell this address how deploys end: https://… (JSON), slack+https://…, discord+https://…, ntfy+https://… or mailto:name@host. Repeatable.",
            valueName: "address"))
    var notify: [String] = []
    @Option(help: "A file with such addresses, one a line: the way for those that are secrets.")
    var notifyFile: [String] = []
    @Option(
        help:
            "What is told: all, or failures (among them a rollback that nobody asked for, and the success after one)."
    ) var notifyOn = "all"
    @Option(help: "A file with the secret that signs the JSON of webhooks.") var notifySecretFile: String?
    @Option(help: "A file with certificates to trust for notifications and statuses.") var notifyCaFile:
        String?
    @Option(help: "A proxy for notifications and statuses.") var notifyProxy: String?
    @Option(help: "Set the status of each commit at its forge, with the token in this file.")
    var statusTokenFile: String?
    @Option(help: "The base of the forge's API; taken from --repo unless told.") var statusApi: String?
    @Option(help: "The repository at the forge, such as team/site; taken from --repo unless told.")
    var statusRepo: String?
    @Option(
        help:
            "The forge: github, gitlab, gitea, bitbucket or bitbucket-server; taken from --provider unless told."
    )
    var statusForge: String?
    @Option(help: "Where a status links to; {attempt} and {pipeline} are replaced.") var statusUrl: String?
    @Option(help: "What tells this status from others at the commit; volt/NAME unless told.")
    var statusContext: String?
    @Option(help: "The user name that goes with the token, for a password.") var statusUsername: String?

    /// The settings that the options ask for; nil for none.
    ///
    /// - Throws: `VoltError` with code `usage`, `notFound` or `refused`.
    func settings(for pipeline: Pipeline, _ gitops: Gitops) throws(VoltError) -> NotifySettings? {
        var settings = NotifySettings()
        switch notifyOn {
        case "all": break
        case "failures": settings.onlyFailures = true
        default:
            throw VoltError(.usage, "'\(notifyOn)' of --notify-on is unknown", hint: "use all or failures")
        }
        settings.caFile = try ExistingFile.path(notifyCaFile, of: "--notify-ca-file")
        settings.secretFile = try ExistingFile.path(notifySecretFile, of: "--notify-secret-file")
        if let notifyProxy { settings.proxy = try gitops.api(notifyProxy, allowHTTP: true) }
        var addresses = notify
        for file in notifyFile {
            let text = String(decoding: try Files.read(file, limit: 64 << 10), as: UTF8.self)
            addresses += text.split(whereSeparator: \.isNewline).map(String.init)
                .filter { !$0.hasPrefix("#") && !$0.allSatisfy(\.isWhitespace) }
        }
        guard addresses.count <= 20 else {
            throw VoltError(.usage, "\(addresses.count) addresses are too many", hint: "use at most 20")
        }
        for address in addresses {
            let target = try gitops.target(address, allowHTTP: pipeline.allowHTTP)
            if !settings.targets.contains(target) { settings.targets.append(target) }
        }
        settings.status = try status(of: pipeline, gitops)
        return settings.isEmpty ? nil : settings
    }

    private func status(of pipeline: Pipeline, _ gitops: Gitops) throws(VoltError) -> StatusSettings? {
        let more = [statusApi, statusRepo, statusForge, statusUrl, statusContext, statusUsername]
        guard let tokenFile = try ExistingFile.path(statusTokenFile, of: "--status-token-file") else {
            guard more.allSatisfy({ $0 == nil }) else {
                throw VoltError(
                    .usage, "a commit status needs a token", hint: "give --status-token-file FILE")
            }
            return nil
        }
        let aliases = ["forgejo": "gitea"]
        let word = statusForge ?? pipeline.provider.rawValue
        guard let forge = StatusForge(rawValue: aliases[word] ?? word) else {
            let known = StatusForge.allCases.map(\.rawValue).joined(separator: ", ")
            throw VoltError(
                .usage, "'\(word)' takes no commit status", hint: "give --status-forge, one of \(known)")
        }
        var place = (forge: forge, api: "", repository: "")
        if statusApi == nil || statusRepo == nil {
            let url = try RepositoryURL(
                pipeline.repo, system: .git,
                policy: .init(allowsHTTP: pipeline.allowHTTP, allowsFile: pipeline.allowFile))
            place = try StatusSettings.place(of: url, forge: forge)
        }
        if let statusApi { (place.api, place.forge) = (statusApi, forge) }
        let context = statusContext ?? "volt/\(pipeline.name)"
        guard (1...255).contains(context.utf8.count), context.utf8.allSatisfy({ $0 >= 32 && $0 != 127 })
        else {
            throw VoltError(.usage, "the context of the status is empty, too long or has a control character")
        }
        var status = StatusSettings(
            forge: place.forge, api: try gitops.api(place.api, allowHTTP: pipeline.allowHTTP),
            repository: statusRepo ?? place.repository, tokenFile: tokenFile, context: context)
        status.username = statusUsername
        status.link = statusUrl
        return status
    }
}
