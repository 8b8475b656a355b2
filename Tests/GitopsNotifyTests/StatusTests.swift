import GitopsNotifications
import GitopsSource
import Testing
import VoltCore

let commit = "0123456789abcdef0123456789abcdef01234567"
let source = NotificationSource(
    pipeline: "site", workload: "web", repository: "https://git.example/team/site.git", branch: "main",
    host: "host1")

func notification(_ kind: Notification.Kind, note: String = "webhook (github)") -> Notification {
    Notification(
        kind: kind, attempt: 7, commit: commit, note: note, at: Timestamp(milliseconds: 1_752_507_001_000))
}

@Suite struct StatusTests {
    private func settings(_ forge: StatusForge, _ api: String) -> StatusSettings {
        StatusSettings(
            forge: forge, api: api, repository: "team/sub group/site", tokenFile: "/token",
            context: "volt/site")
    }

    @Test(
        "a status is written as the forge reads it",
        arguments: [
            (
                .github, "https://api.example/repos/team/sub%20group/site/statuses/\(commit)",
                #"{"context":"volt/site","description":"webhook (github)","state":"success","target_url":"https://ui/attempts/7"}"#,
                "Authorization: Bearer t0ken"
            ),
            (
                .gitlab, "https://api.example/projects/team%2Fsub%20group%2Fsite/statuses/\(commit)",
                #"{"description":"webhook (github)","name":"volt/site","ref":"main","state":"success","target_url":"https://ui/attempts/7"}"#,
                "PRIVATE-TOKEN: t0ken"
            ),
            (
                .gitea, "https://api.example/repos/team/sub%20group/site/statuses/\(commit)",
                #"{"context":"volt/site","description":"webhook (github)","state":"success","target_url":"https://ui/attempts/7"}"#,
                "Authorization: token t0ken"
            ),
            (
                .bitbucket,
                "https://api.example/repositories/team/sub%20group/site/commit/\(commit)/statuses/build",
                #"{"description":"webhook (github)","key":"volt/site","name":"volt/site","state":"SUCCESSFUL","url":"https://ui/attempts/7"}"#,
                "Authorization: Bearer t0ken"
            ),
            (
                .bitbucketServer, "https://api.example/commits/\(commit)",
                #"{"description":"webhook (github)","key":"volt/site","name":"volt/site","state":"SUCCESSFUL","url":"https://ui/attempts/7"}"#,
                "Authorization: Bearer t0ken"
            ),
        ] as [(StatusForge, String, String, String)])
    func dialects(forge: StatusForge, url: String, body: String, header: String) throws {
        var settings = settings(forge, "https://api.example")
        settings.link = "https://ui/attempts/{attempt}"
        let web = try #require(settings.request(notification(.success), source, token: "t0ken"))
        #expect(web.url == url)
        #expect(web.body == body)
        #expect(web.secretHeaders.map { "\($0.name): \($0.value)" } == [header])
        #expect(!web.headers.contains { $0.value.contains("t0ken") })
    }

    @Test("each state has the forge's word for it")
    func words() throws {
        let kinds: [Notification.Kind] = [
            .started, .success, .failed, .held, .interrupted, .superseded, .unseen, .rolledBack,
        ]
        let expected: [StatusForge: [String]] = [
            .github: ["pending", "success", "failure", "failure", "failure", "error", "error", "success"],
            .gitea: ["pending", "success", "failure", "failure", "failure", "warning", "warning", "success"],
            .gitlab: ["running", "success", "failed", "failed", "failed", "canceled", "canceled", "success"],
            .bitbucket: [
                "INPROGRESS", "SUCCESSFUL", "FAILED", "FAILED", "FAILED", "STOPPED", "STOPPED", "SUCCESSFUL",
            ],
            .bitbucketServer: [
                "INPROGRESS", "SUCCESSFUL", "FAILED", "FAILED", "FAILED", "FAILED", "FAILED", "SUCCESSFUL",
            ],
        ]
        for (forge, words) in expected {
            for (kind, word) in zip(kinds, words) {
                let web = try #require(
                    settings(forge, "https://a").request(notification(kind), source, token: "t"))
                #expect(web.body.contains("\"state\":\"\(word)\""), "\(forge) \(kind): \(web.body)")
            }
            #expect(settings(forge, "https://a").request(notification(.drift), source, token: "t") == nil)
        }
    }

    @Test("what is no commit of Git gets no status")
    func noCommit() {
        for commit in [nil, "", "r17", "0123", "../../x", String(repeating: "G", count: 40)] {
            var notification = notification(.success)
            notification.commit = commit
            #expect(settings(.github, "https://a").request(notification, source, token: "t") == nil)
        }
    }

    @Test(
        "the API and the repository come from the URL",
        arguments: [
            (.github, "https://github.com/team/site.git", "github https://api.github.com team/site"),
            (.github, "git@github.com:team/site.git", "github https://api.github.com team/site"),
            (.github, "https://ghe.example:8443/t/s", "github https://ghe.example:8443/api/v3 t/s"),
            (.gitlab, "git@gitlab.example:a/b/c.git", "gitlab https://gitlab.example/api/v4 a/b/c"),
            (.gitlab, "ssh://git@gitlab.example:2222/a/b.git", "gitlab https://gitlab.example/api/v4 a/b"),
            (.gitea, "http://127.0.0.1:3000/a/b.git", "gitea http://127.0.0.1:3000/api/v1 a/b"),
            (.bitbucket, "git@bitbucket.org:w/r.git", "bitbucket https://api.bitbucket.org/2.0 w/r"),
            (
                .bitbucket, "https://bb.example/scm/proj/r.git",
                "bitbucket-server https://bb.example/rest/build-status/1.0 proj/r"
            ),
        ] as [(StatusForge, String, String)])
    func places(forge: StatusForge, url: String, expected: String) throws {
        let place = try StatusSettings.place(of: RepositoryURL(url, system: .git), forge: forge)
        #expect("\(place.forge.rawValue) \(place.api) \(place.repository)" == expected)
    }

    @Test("a local repository does not say where its statuses go")
    func local() throws {
        let url = try RepositoryURL("/srv/site", system: .git, policy: .init(allowsFile: true))
        let error = #expect(throws: VoltError.self) {
            try StatusSettings.place(of: url, forge: .github)
        }
        #expect(error?.hint == "give --status-api URL and --status-repo OWNER/NAME")
    }

    @Test("GitLab's refusal of the same status again is no failure")
    func repetition() {
        let text = #"{"message":"Cannot transition status via :run from :running"}"#
        #expect(settings(.gitlab, "https://a").isRepetition(status: 400, text: text))
        #expect(!settings(.gitlab, "https://a").isRepetition(status: 400, text: "other"))
        #expect(!settings(.github, "https://a").isRepetition(status: 400, text: text))
    }
}
