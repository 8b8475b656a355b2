import Testing

@testable import GitopsEngine

private let commit = "1111111111111111111111111111111111111111"
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

private let samples = [
    Sample(
        "push", .github, ["X-GitHub-Event": "push"],
        #"{"ref":"refs/heads/main","before":"\#(zeros)","after":"\#(commit)","deleted":false,"head_commit":{"id":"x"},\#(gitHubRepository)}"#,
        .pushes([PushEvent(repositories: gitHubURLs, branch: "main", commit: commit)])),
    Sample(
        "push to a branch with a slash", .github, ["X-GitHub-Event": "push"],
        #"{"ref":"refs/heads/feature/é\u00e9","after":"\#(commit)",\#(gitHubRepository)}"#,
        .pushes([PushEvent(repositories: gitHubURLs, branch: "feature/éé", commit: commit)])),
    Sample(
        "push as a form", .github,
        ["X-GitHub-Event": "push", "Content-Type": "application/x-www-form-urlencoded"],
        "x=1&payload=%7B%22ref%22%3A%22refs%2Fheads%2Fa+b%22%2C%22after%22%3A%22\(commit)%22%7D",
        .pushes([PushEvent(repositories: [], branch: "a b", commit: commit)])),
    Sample(
        "deleted branch", .github, ["X-GitHub-Event": "push"],
        #"{"ref":"refs/heads/old","after":"\#(zeros)","deleted":true,"head_commit":null,\#(gitHubRepository)}"#,
        .ignored("branch 'old' was deleted")),
    Sample(
        "tag", .github, ["X-GitHub-Event": "push"],
        #"{"ref":"refs/tags/v1","after":"\#(commit)",\#(gitHubRepository)}"#,
        .ignored("'refs/tags/v1' is not a branch")),
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
        .pushes([PushEvent(repositories: gitLabURLs, branch: "main", commit: commit)])),
    Sample(
        "system hook without an object_kind", .gitlab, ["X-Gitlab-Event": "System Hook"],
        #"{"event_name":"push","ref":"refs/heads/main","checkout_sha":"\#(commit)",\#(gitLabProject)}"#,
        .pushes([PushEvent(repositories: gitLabURLs, branch: "main", commit: commit)])),
    Sample(
        "deleted branch", .gitlab, ["X-Gitlab-Event": "Push Hook"],
        #"{"object_kind":"push","ref":"refs/heads/old","after":"\#(zeros)","checkout_sha":null,\#(gitLabProject)}"#,
        .ignored("branch 'old' was deleted")),
    Sample(
        "tag", .gitlab, ["X-Gitlab-Event": "Tag Push Hook"],
        #"{"object_kind":"tag_push","ref":"refs/tags/v1","checkout_sha":"\#(commit)",\#(gitLabProject)}"#,
        .ignored("event 'tag_push' is not a push to a branch")),
    Sample(
        "repository_update without a ref", .gitlab, [:], #"{"event_name":"repository_update"}"#,
        .ignored("event 'repository_update' is not a push to a branch")),

    Sample(
        "push of several changes, one of them to a branch", .bitbucket, ["X-Event-Key": "repo:push"],
        #"{"push":{"changes":[{"new":null,"old":{"type":"branch","name":"old"}},{"new":{"type":"tag","name":"v1","target":{"hash":"x"}}},{"new":{"type":"branch","name":"main","target":{"hash":"\#(commit)"}},"old":null,"created":true}]},\#(cloudRepository)}"#,
        .pushes([PushEvent(repositories: cloudURLs, branch: "main", commit: commit)])),
    Sample(
        "push to two branches", .bitbucket, ["X-Event-Key": "repo:push"],
        #"{"push":{"changes":[{"new":{"type":"branch","name":"a","target":{"hash":"\#(commit)"}}},{"new":{"type":"branch","name":"b","target":{}}}]},\#(cloudRepository)}"#,
        .pushes([
            PushEvent(repositories: cloudURLs, branch: "a", commit: commit),
            PushEvent(repositories: cloudURLs, branch: "b", commit: nil),
        ])),
    Sample(
        "push without changes", .bitbucket, ["X-Event-Key": "repo:push"], #"{"push":{}}"#,
        .ignored("no branch has a new commit")),
    Sample(
        "Data Center, with links", .bitbucket, ["X-Event-Key": "repo:refs_changed"],
        #"{"repository":{"slug":"site","project":{"key":"TEAM"},"links":{"clone":[{"href":"https://bb.example/scm/team/site.git","name":"http"}]}},"changes":[{"ref":{"id":"refs/heads/main","displayId":"main","type":"BRANCH"},"fromHash":"x","toHash":"\#(commit)","type":"UPDATE"},{"ref":{"id":"refs/tags/v1","type":"TAG"},"toHash":"x","type":"ADD"},{"ref":{"id":"refs/heads/old","type":"BRANCH"},"toHash":"\#(zeros)","type":"DELETE"}]}"#,
        .pushes([
            PushEvent(repositories: ["https://bb.example/scm/team/site.git"], branch: "main", commit: commit)
        ])),
    Sample(
        "Data Center, an older one without links", .bitbucket, ["X-Event-Key": "repo:refs_changed"],
        #"{"repository":{"slug":"site","project":{"key":"TEAM"}},"changes":[{"ref":{"id":"refs/heads/main","type":"BRANCH"},"toHash":"\#(commit)","type":"ADD"}]}"#,
        .pushes([PushEvent(repositories: ["/team/site"], branch: "main", commit: commit)])),
    Sample(
        "another event", .bitbucket, ["X-Event-Key": "pullrequest:created"], "{}",
        .ignored("event 'pullrequest:created' is not a push")),
]

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
