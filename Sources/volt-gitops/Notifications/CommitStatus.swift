internal import FoundationEssentials
internal import VoltCore
internal import VoltCrypto

extension StatusSettings {
    /// The request that sets the status of a notification's commit; nil when it says nothing about a commit.
    ///
    /// Sources: GitHub REST "Create a commit status", GitLab API "Set the pipeline status of a commit",
    /// Gitea's swagger `repoCreateStatus`, Bitbucket Cloud "Create a build status for a commit", Bitbucket
    /// Data Center REST `build-status/1.0`.
    ///
    /// - Parameter token: the content of `tokenFile`.
    public func request(_ notification: Notification, _ source: NotificationSource, token: String)
        -> NotifyRequest.Web?
    {
        guard let commit = notification.commit, let state = state(of: notification.kind),
            Self.isCommit(commit)
        else {
            return nil
        }
        let link = target(notification, source)
        let path = repository.split(separator: "/").map { Percent.encode($0) }.joined(separator: "/")
        var description = notification.reason(limit: 140)
        // The commit is good: it is another one that failed, and has a status that says so.
        if notification.kind == .rolledBack {
            description = Notification.line("rolled back to this commit: \(description)", limit: 140)
        }
        if description.isEmpty { description = notification.kind.rawValue }
        let place: String
        var members: [String: String]
        switch forge {
        case .github:
            place = "/repos/\(path)/statuses/\(commit)"
            members = ["state": state, "description": description, "context": context]
            members["target_url"] = link
        case .gitea:
            place = "/repos/\(path)/statuses/\(commit)"
            members = ["state": state, "description": description, "context": context]
            members["target_url"] = link
        case .gitlab:
            place = "/projects/\(Percent.encode(repository))/statuses/\(commit)"
            members = ["state": state, "description": description, "name": context]
            // What a pipeline that follows tags shows in its place is no name of a ref.
            if !source.branch.contains(" ") { members["ref"] = source.branch }
            members["target_url"] = link
        case .bitbucket:
            place = "/repositories/\(path)/commit/\(commit)/statuses/build"
            members = ["state": state, "description": description, "key": key, "name": context]
            members["url"] = link ?? "https://bitbucket.org/\(path)/commits/\(commit)"
        case .bitbucketServer:
            place = "/commits/\(commit)"
            members = ["state": state, "description": description, "key": key, "name": context]
            // The API refuses a status without a link.
            members["url"] = link ?? source.repository
        }
        var web = NotifyRequest.Web(url: api + place)
        web.headers = [
            NotifyRequest.Field("Content-Type", "application/json"),
            NotifyRequest.Field(
                "Accept", forge == .github ? "application/vnd.github+json" : "application/json"),
        ]
        if forge == .github {
            web.headers.append(NotifyRequest.Field("X-GitHub-Api-Version", "2022-11-28"))
        }
        web.secretHeaders = [authorization(token)]
        web.body = String(decoding: (try? NotifyStream.encode(members)) ?? [], as: UTF8.self)
        return web
    }

    /// Whether an answer says that the commit has this very status already.
    public func isRepetition(status: Int, text: String) -> Bool {
        forge == .gitlab && status == 400 && text.contains("Cannot transition status")
    }

    private func authorization(_ token: String) -> NotifyRequest.Field {
        switch forge {
        case .gitlab: NotifyRequest.Field("PRIVATE-TOKEN", token)
        case .gitea: NotifyRequest.Field("Authorization", "token \(token)")
        case .github, .bitbucket, .bitbucketServer:
            if let username {
                NotifyRequest.Field(
                    "Authorization", "Basic \(Base64.encode(Array("\(username):\(token)".utf8)))")
            } else {
                NotifyRequest.Field("Authorization", "Bearer \(token)")
            }
        }
    }

    /// The forge's word; nil for what is no state of a commit.
    private func state(of kind: Notification.Kind) -> String? {
        let words: (pending: String, success: String, failure: String, stopped: String) =
            switch forge {
            case .github: ("pending", "success", "failure", "error")
            case .gitea: ("pending", "success", "failure", "warning")
            case .gitlab: ("running", "success", "failed", "canceled")
            case .bitbucket: ("INPROGRESS", "SUCCESSFUL", "FAILED", "STOPPED")
            case .bitbucketServer: ("INPROGRESS", "SUCCESSFUL", "FAILED", "FAILED")
            }
        return switch kind {
        case .started, .approval: words.pending
        case .success, .rolledBack: words.success
        case .failed, .held, .interrupted: words.failure
        case .superseded, .unseen: words.stopped
        case .drift, .test: nil
        }
    }

    private func target(_ notification: Notification, _ source: NotificationSource) -> String? {
        guard let link else { return nil }
        return link.replacing("{attempt}", with: notification.attempt.map(String.init) ?? "")
            .replacing("{pipeline}", with: source.pipeline)
    }

    /// Bitbucket's keys have 40 characters at most.
    private var key: String {
        context.utf8.count <= 40 ? context : String(SHA256Hasher.digest(of: context.utf8).hex.prefix(40))
    }

    private static func isCommit(_ text: String) -> Bool {
        [40, 64].contains(text.utf8.count)
            && text.utf8.allSatisfy { (48...57).contains($0) || (97...102).contains($0) }
    }
}
