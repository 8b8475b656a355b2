import Testing

@testable import GitopsEngine

private let commit = "1111111111111111111111111111111111111111"
private let object = "2222222222222222222222222222222222222222"
private let zeros = "0000000000000000000000000000000000000000"

/// A delivery as a provider sends it, and what is to be made of it.
private struct Sample: Sendable, CustomTestStringConvertible {
    let title: String
    let provider: Provider
    let headers: [String: String]
    let body: String
    let expected: Delivery
    var testDescription: String { "\(provider): \(title)" }

    init(
        _ title: String, _ provider: Provider, _ headers: [String: String], _ body: String,
        _ expected: Delivery
    ) {
        self.title = title
        self.provider = provider
        self.headers = headers
        self.body = body
        self.expected = expected
    }

    func read(_ bytes: [UInt8]? = nil) throws -> Delivery? {
        let fields = RequestHeaders(headers.map { (name: $0.key, value: $0.value) })
        return try provider.hooks?.read(fields, body: bytes ?? Array(body.utf8))
    }
}

private let gitHubRepository =
    #""repository":{"id":1,"full_name":"Team/Site","url":"https://github.com/Team/Site","clone_url":"https://github.com/Team/Site.git","ssh_url":"git@github.com:Team/Site.git"}"#
private let gitHubURLs = ["https://github.com/Team/Site.git", "git@github.com:Team/Site.git"]
private let gitLabProject =
    #""project":{"id":7,"path_with_namespace":"team/site","git_http_url":"https://gitlab.com/team/site.git","git_ssh_url":"git@gitlab.com:team/site.git","web_url":"https://gitlab.com/team/site"}"#
private let gitLabURLs = [
    "https://gitlab.com/team/site.git", "git@gitlab.com:team/site.git", "https://gitlab.com/team/site",
]
private let cloudRepository =
    #""repository":{"full_name":"team/site","name":"site","scm":"git","links":{"self":{"href":"https://api.bitbucket.org/2.0/repositories/team/site"},"html":{"href":"https://bitbucket.org/team/site"}}}"#
private let cloudURLs = ["https://bitbucket.org/team/site", "https://bitbucket.org/team/site.git"]

private let samples: [Sample] =
    hostedSamples + giteaSamples(of: .gitea, "Gitea") + giteaSamples(of: .forgejo, "Forgejo") + genericSamples

private let hostedSamples: [Sample] = [
    Sample(
        "push", .github, ["X-GitHub-Event": "push"],
        #"{"ref":"refs/heads/main","before":"\#(zeros)","after":"\#(commit)","deleted":false,"head_commit":{"id":"x"},\#(gitHubRepository)}"#,
        .pushes([PushEvent(repositories: gitHubURLs, ref: .branch("main"), commit: commit)])),
    Sample(
        "push to a branch with a slash", .github, ["X-GitHub-Event": "push"],
        #"{"ref":"refs/heads/feature/é\u00e9","after":"\#(commit)",\#(gitHubRepository)}"#,
        .pushes([PushEvent(repositories: gitHubURLs, ref: .branch("feature/éé"), commit: commit)])),
    Sample(
        "push as a form", .github,
        ["X-GitHub-Event": "push", "Content-Type": "application/x-www-form-urlencoded"],
        "x=1&payload=%7B%22ref%22%3A%22refs%2Fheads%2Fa+b%22%2C%22after%22%3A%22\(commit)%22%7D",
        .pushes([PushEvent(repositories: [], ref: .branch("a b"), commit: commit)])),
    Sample(
        "deleted branch", .github, ["X-GitHub-Event": "push"],
        #"{"ref":"refs/heads/old","after":"\#(zeros)","deleted":true,"head_commit":null,\#(gitHubRepository)}"#,
        .ignored("branch 'old' was deleted")),
    Sample(
        "tag", .github, ["X-GitHub-Event": "push"],
        #"{"ref":"refs/tags/v1","after":"\#(commit)",\#(gitHubRepository)}"#,
        .pushes([PushEvent(repositories: gitHubURLs, ref: .tag("v1"), commit: nil)])),
    Sample(
        "annotated tag, whose object is in after and whose commit is the head", .github,
        ["X-GitHub-Event": "push"],
        #"{"ref":"refs/tags/v1","after":"\#(object)","created":true,"head_commit":{"id":"\#(commit)"},\#(gitHubRepository)}"#,
        .pushes([PushEvent(repositories: gitHubURLs, ref: .tag("v1"), commit: commit)])),
    Sample(
        "deleted tag", .github, ["X-GitHub-Event": "push"],
        #"{"ref":"refs/tags/v1","after":"\#(zeros)","deleted":true,\#(gitHubRepository)}"#,
        .ignored("tag 'v1' was deleted")),
    Sample(
        "a ref of a pull request", .github, ["X-GitHub-Event": "push"], #"{"ref":"refs/pull/1/head"}"#,
        .ignored("'refs/pull/1/head' is no branch and no tag")),
    Sample(
        "ping", .github, ["X-GitHub-Event": "ping"], #"{"zen":"Keep it logically awesome.","hook_id":1}"#,
        .ignored("ping")),
    Sample(
        "create with a short ref", .github, ["X-GitHub-Event": "create"], #"{"ref":"v1","ref_type":"tag"}"#,
        .ignored("event 'create' is not a push")),
    Sample("no event", .github, [:], "{}", .ignored("event '' is not a push")),
    Sample("an empty push", .github, ["X-GitHub-Event": "push"], "{}", .ignored("the payload has no ref")),
    Sample(
        "fields of other types", .github, ["X-GitHub-Event": "push"],
        #"{"ref":["refs/heads/main"],"after":{},"repository":"site","deleted":"yes"}"#,
        .ignored("the payload has no ref")),

    Sample(
        "push", .gitlab, ["X-Gitlab-Event": "Push Hook"],
        #"{"object_kind":"push","event_name":"push","ref":"refs/heads/main","after":"x","checkout_sha":"\#(commit)",\#(gitLabProject)}"#,
        .pushes([PushEvent(repositories: gitLabURLs, ref: .branch("main"), commit: commit)])),
    Sample(
        "system hook without an object_kind", .gitlab, ["X-Gitlab-Event": "System Hook"],
        #"{"event_name":"push","ref":"refs/heads/main","checkout_sha":"\#(commit)",\#(gitLabProject)}"#,
        .pushes([PushEvent(repositories: gitLabURLs, ref: .branch("main"), commit: commit)])),
    Sample(
        "deleted branch", .gitlab, ["X-Gitlab-Event": "Push Hook"],
        #"{"object_kind":"push","ref":"refs/heads/old","after":"\#(zeros)","checkout_sha":null,\#(gitLabProject)}"#,
        .ignored("branch 'old' was deleted")),
    Sample(
        "annotated tag, whose object is in after and whose commit is checked out", .gitlab,
        ["X-Gitlab-Event": "Tag Push Hook"],
        #"{"object_kind":"tag_push","event_name":"tag_push","ref":"refs/tags/v1","after":"\#(object)","checkout_sha":"\#(commit)",\#(gitLabProject)}"#,
        .pushes([PushEvent(repositories: gitLabURLs, ref: .tag("v1"), commit: commit)])),
    Sample(
        "system hook for a tag, without an object_kind", .gitlab, ["X-Gitlab-Event": "System Hook"],
        #"{"event_name":"tag_push","ref":"refs/tags/v1","after":"\#(object)","checkout_sha":"\#(commit)",\#(gitLabProject)}"#,
        .pushes([PushEvent(repositories: gitLabURLs, ref: .tag("v1"), commit: commit)])),
    Sample(
        "system hook of one update of a repository, with several refs", .gitlab,
        ["X-Gitlab-Event": "System Hook"],
        #"{"event_name":"repository_update","user_id":1,\#(gitLabProject),"changes":[{"before":"\#(zeros)","after":"\#(commit)","ref":"refs/heads/main"},{"after":"\#(object)","ref":"refs/tags/v1"},{"before":"\#(commit)","after":"\#(zeros)","ref":"refs/heads/old"},{"after":"\#(commit)","ref":"refs/merge-requests/1/head"}],"refs":["refs/heads/main"]}"#,
        .pushes([
            PushEvent(repositories: gitLabURLs, ref: .branch("main"), commit: commit),
            PushEvent(repositories: gitLabURLs, ref: .tag("v1"), commit: nil),
        ])),
    Sample(
        "deleted tag", .gitlab, ["X-Gitlab-Event": "Tag Push Hook"],
        #"{"object_kind":"tag_push","ref":"refs/tags/v1","after":"\#(zeros)","checkout_sha":null,\#(gitLabProject)}"#,
        .ignored("tag 'v1' was deleted")),
    Sample(
        "repository_update without a ref", .gitlab, [:], #"{"event_name":"repository_update"}"#,
        .ignored("no branch or tag has a new commit")),
    Sample(
        "system hook about a user", .gitlab, ["X-Gitlab-Event": "System Hook"],
        #"{"event_name":"user_create","name":"a"}"#, .ignored("event 'user_create' is not a push")),

    Sample(
        "push of several changes: a deleted branch, a tag and a branch", .bitbucket,
        ["X-Event-Key": "repo:push"],
        #"{"push":{"changes":[{"new":null,"old":{"type":"branch","name":"old"}},{"new":{"type":"tag","name":"v1","target":{"hash":"x"}}},{"new":{"type":"branch","name":"main","target":{"hash":"\#(commit)"}},"old":null,"created":true}]},\#(cloudRepository)}"#,
        .pushes([
            PushEvent(repositories: cloudURLs, ref: .tag("v1"), commit: "x"),
            PushEvent(repositories: cloudURLs, ref: .branch("main"), commit: commit),
        ])),
    Sample(
        "push to two branches", .bitbucket, ["X-Event-Key": "repo:push"],
        #"{"push":{"changes":[{"new":{"type":"branch","name":"a","target":{"hash":"\#(commit)"}}},{"new":{"type":"branch","name":"b","target":{}}}]},\#(cloudRepository)}"#,
        .pushes([
            PushEvent(repositories: cloudURLs, ref: .branch("a"), commit: commit),
            PushEvent(repositories: cloudURLs, ref: .branch("b"), commit: nil),
        ])),
    Sample(
        "push without changes", .bitbucket, ["X-Event-Key": "repo:push"], #"{"push":{}}"#,
        .ignored("no branch or tag has a new commit")),
    Sample(
        "Data Center, with links", .bitbucket, ["X-Event-Key": "repo:refs_changed"],
        #"{"repository":{"slug":"site","project":{"key":"TEAM"},"links":{"clone":[{"href":"https://bb.example/scm/team/site.git","name":"http"}]}},"changes":[{"ref":{"id":"refs/heads/main","displayId":"main","type":"BRANCH"},"fromHash":"x","toHash":"\#(commit)","type":"UPDATE"},{"ref":{"id":"refs/tags/v1","type":"TAG"},"toHash":"x","type":"ADD"},{"ref":{"id":"refs/heads/old","type":"BRANCH"},"toHash":"\#(zeros)","type":"DELETE"}]}"#,
        .pushes([
            PushEvent(
                repositories: ["https://bb.example/scm/team/site.git"], ref: .branch("main"), commit: commit),
            PushEvent(repositories: ["https://bb.example/scm/team/site.git"], ref: .tag("v1"), commit: nil),
        ])),
    Sample(
        "Data Center, an older one without links", .bitbucket, ["X-Event-Key": "repo:refs_changed"],
        #"{"repository":{"slug":"site","project":{"key":"TEAM"}},"changes":[{"ref":{"id":"refs/heads/main","type":"BRANCH"},"toHash":"\#(commit)","type":"ADD"}]}"#,
        .pushes([PushEvent(repositories: ["/team/site"], ref: .branch("main"), commit: commit)])),
    Sample(
        "another event", .bitbucket, ["X-Event-Key": "pullrequest:created"], "{}",
        .ignored("event 'pullrequest:created' is not a push")),
]

private let genericSamples: [Sample] = [
    Sample(
        "Forgejo behind a proxy that hands on Gitea's names alone", .forgejo, ["X-Gitea-Event": "push"],
        #"{"ref":"refs/heads/main","after":"\#(commit)",\#(giteaRepository)}"#,
        .pushes([PushEvent(repositories: giteaURLs, ref: .branch("main"), commit: commit)])),
    Sample(
        "a full ref", .generic, [:],
        #"{"repository":"https://git.example/team/site.git","ref":"refs/heads/main","commit":"\#(commit)"}"#,
        .pushes([
            PushEvent(
                repositories: ["https://git.example/team/site.git"], ref: .branch("main"), commit: commit)
        ])),
    Sample(
        "a tag", .generic, [:], #"{"repository":"git@git.example:team/site","ref":"refs/tags/v1"}"#,
        .pushes([PushEvent(repositories: ["git@git.example:team/site"], ref: .tag("v1"), commit: nil)])),
    Sample(
        "a short ref is a branch", .generic, [:], #"{"repository":"https://git.example/a","ref":"a/b"}"#,
        .pushes([PushEvent(repositories: ["https://git.example/a"], ref: .branch("a/b"), commit: nil)])),
    Sample(
        "another kind of ref", .generic, [:],
        #"{"repository":"https://git.example/a","ref":"refs/notes/x"}"#,
        .ignored("'refs/notes/x' is no branch and no tag")),
    Sample("no ref", .generic, [:], #"{"repository":"x"}"#, .ignored("the payload has no ref")),
    Sample("no repository", .generic, [:], #"{"ref":"x"}"#, .ignored("the payload has no repository")),
]

private let giteaRepository =
    #""repository":{"id":3,"full_name":"team/site","html_url":"https://git.example/team/site","clone_url":"https://git.example/team/site.git","ssh_url":"git@git.example:team/site.git"}"#
private let giteaURLs = [
    "https://git.example/team/site.git", "git@git.example:team/site.git", "https://git.example/team/site",
]

/// The events of Gitea and of what descends from it.
private func giteaSamples(of provider: Provider, _ brand: String) -> [Sample] {
    let form = ["Content-Type": "application/x-www-form-urlencoded"]
    func event(_ name: String) -> [String: String] { ["X-\(brand)-Event": name] }
    return [
        Sample(
            "push", provider, event("push"),
            #"{"ref":"refs/heads/main","before":"\#(zeros)","after":"\#(commit)","commits":[],\#(giteaRepository)}"#,
            .pushes([PushEvent(repositories: giteaURLs, ref: .branch("main"), commit: commit)])),
        Sample(
            "push as a form", provider, event("push").merging(form) { $1 },
            "payload=%7B%22ref%22%3A%22refs%2Fheads%2Fmain%22%2C%22after%22%3A%22\(commit)%22%7D&x=1",
            .pushes([PushEvent(repositories: [], ref: .branch("main"), commit: commit)])),
        Sample(
            "created branch, with a short ref", provider, event("create"),
            #"{"sha":"\#(commit)","ref":"feature/a","ref_type":"branch",\#(giteaRepository)}"#,
            .pushes([PushEvent(repositories: giteaURLs, ref: .branch("feature/a"), commit: commit)])),
        Sample(
            "created tag, whose id may be its object's", provider, event("create"),
            #"{"sha":"\#(object)","ref":"v1","ref_type":"tag",\#(giteaRepository)}"#,
            .pushes([PushEvent(repositories: giteaURLs, ref: .tag("v1"), commit: nil)])),
        Sample(
            "push of a tag", provider, event("push"),
            #"{"ref":"refs/tags/v1","after":"\#(object)","head_commit":{"id":"\#(commit)"},\#(giteaRepository)}"#,
            .pushes([PushEvent(repositories: giteaURLs, ref: .tag("v1"), commit: commit)])),
        Sample(
            "deleted branch", provider, event("delete"),
            #"{"ref":"old","ref_type":"branch","pusher_type":"user",\#(giteaRepository)}"#,
            .ignored("branch 'old' was deleted")),
        Sample(
            "push that deletes", provider, event("push"),
            #"{"ref":"refs/heads/old","after":"\#(zeros)",\#(giteaRepository)}"#,
            .ignored("branch 'old' was deleted")),
        Sample(
            "a create of neither", provider, event("create"), #"{"ref":"x","ref_type":"repository"}"#,
            .ignored("'x' is no branch and no tag")),
        Sample(
            "another event", provider, event("issues"), "{}", .ignored("event 'issues' is not a push")),
        Sample(
            "the event of GitHub alone", provider, ["X-GitHub-Event": "push"], "{}",
            .ignored("event '' is not a push")),
    ]
}

@Suite struct PayloadTests {
    @Test("a delivery is read as its provider means it", arguments: samples)
    fileprivate func reads(sample: Sample) throws {
        #expect(try sample.read() == sample.expected)
    }

    // GitHub names the event in a header, so that other bodies than a push's are not read at all.
    @Test(
        "no body cut, changed or extended at any place ends the process",
        arguments: samples.filter { (try? $0.read([])) == nil })
    fileprivate func survives(sample: Sample) {
        let bytes = Array(sample.body.utf8)
        let seed = UInt64.random(in: 0...UInt64.max)
        var random = SplitMix(state: seed)
        var read = 0
        for end in 0..<bytes.count where (try? sample.read(Array(bytes[..<end]))) != nil { read += 1 }
        for _ in 0..<500 {
            var changed = bytes
            for _ in 0...random.next() % 4 {
                guard !changed.isEmpty else { break }
                let place = Int(random.next() % UInt64(changed.count))
                switch random.next() % 3 {
                case 0: changed[place] = UInt8(truncatingIfNeeded: random.next())
                case 1: changed.remove(at: place)
                default:
                    changed.insert(contentsOf: "{[\"\\u:,]}".utf8.prefix(Int(random.next() % 9)), at: place)
                }
            }
            if (try? sample.read(changed)) != nil { read += 1 }
        }
        #expect(read < bytes.count + 500, "seed \(seed): a cut body was read as a whole one")
    }

    @Test(
        "what is not JSON is malformed",
        arguments: [
            "", " ", "{", "}", "[1,]", #"{"a":}"#, #"{"a" 1}"#, #"{a:1}"#, "{} {}", "nul", "tru", "01", "-",
            "1.", "1e",
            #""\x""#, #""\u12g4""#, "\"a\nb\"", #"{"a":1,}"#, "\u{FEFF}{}", "NaN", "'a'",
        ])
    func malformed(text: String) {
        #expect(throws: PayloadReader.Malformed.self) {
            try PayloadReader.read(Array(text.utf8), keeping: [])
        }
    }

    @Test("JSON is read by RFC 8259, escapes and surrogates included")
    func values() throws {
        let text =
            #" { "a" : [ null , true , -1.5e+3 , "x\"\\\/\b\f\n\r\té😀\ud83d" ] , "b" : { "c" : "d" } } "#
        let payload = try PayloadReader.read(Array(text.utf8), keeping: ["a", "c", "b"])
        #expect(
            payload["a"]?.elements
                == [.null, .boolean(true), .number, .string("x\"\\/\u{8}\u{c}\n\r\té😀\u{FFFD}")])
        #expect(payload["b"]?["c"]?.text == "d")
    }

    @Test("nesting deeper than the limit is refused at once, up to the limit it is read")
    func depth() throws {
        func nested(_ depth: Int) -> [UInt8] {
            Array((String(repeating: "[", count: depth) + String(repeating: "]", count: depth)).utf8)
        }
        _ = try PayloadReader.read(nested(PayloadReader.depthLimit), keeping: [])
        #expect(throws: PayloadReader.Malformed.self) {
            try PayloadReader.read(nested(PayloadReader.depthLimit + 1), keeping: [])
        }
        #expect(throws: PayloadReader.Malformed.self) {
            try PayloadReader.read([UInt8](repeating: UInt8(ascii: "["), count: 10_000_000), keeping: [])
        }
    }

    @Test("a payload with more values than any provider's is refused before they take memory")
    func keptValues() throws {
        func nested(_ count: Int) -> [UInt8] {
            Array(("[" + String(repeating: "1,", count: count - 2) + "1]").utf8)
        }
        _ = try PayloadReader.read(nested(PayloadReader.keptLimit), keeping: [])
        #expect(throws: PayloadReader.Malformed.self) {
            try PayloadReader.read(nested(PayloadReader.keptLimit + 1), keeping: [])
        }
        // What is not kept costs nothing, however much it is.
        let skipped = Array("{\"x\":".utf8) + nested(PayloadReader.keptLimit * 10) + Array("}".utf8)
        _ = try PayloadReader.read(skipped, keeping: ["y"])
    }

    @Test("the ping of Data Center needs no signature, and nothing else of any provider goes without")
    func pings() {
        let ping = RequestHeaders([(name: "X-Event-Key", value: "diagnostics:ping")])
        #expect(Bitbucket().isUnsignedPing(ping))
        #expect(!Bitbucket().isUnsignedPing(RequestHeaders([(name: "X-Event-Key", value: "repo:push")])))
        #expect(!GitHub().isUnsignedPing(ping))
        #expect(!GitLab().isUnsignedPing(ping))
    }
}

/// A small generator of numbers that a seed repeats (Steele, Lea, Flood: SplitMix64).
private struct SplitMix {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var value = state
        value = (value ^ (value >> 30)) &* 0xBF58_476D_1CE4_E5B9
        value = (value ^ (value >> 27)) &* 0x94D0_49BB_1331_11EB
        return value ^ (value >> 31)
    }
}
