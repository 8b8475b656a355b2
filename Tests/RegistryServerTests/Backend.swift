import RegistryEngine
import Testing
import VoltOCI
import VoltS3
import VoltStore
import VoltTestKit

/// Runs each test of a suite once for each place where a registry may be: the store of this host, and a bucket. A new
/// test needs nothing for that; one that is about the files of a store says so with `.onDisk`.
struct EachBackend: SuiteTrait, TestTrait, TestScoping {
    var isRecursive: Bool { true }

    /// The scope of a suite, and that of each case of a test.
    func scopeProvider(for test: Test, testCase: Test.Case?) -> EachBackend? {
        test.isSuite || testCase != nil ? self : nil
    }

    func provideScope(
        for test: Test, testCase: Test.Case?, performing function: @Sendable () async throws -> Void
    ) async throws {
        if test.isSuite {
            guard S3Server.isThere else { return try await function() }
            let scratch = try ScratchDirectory()
            let backend = try Backend(in: scratch.path)
            try await Backend.$shared.withValue(backend) { try await function() }
            return
        }
        try await function()
        guard let backend = Backend.shared, !test.traits.contains(where: { $0 is OnDisk }) else { return }
        try await Backend.$current.withValue(backend) { try await function() }
    }
}

/// Says that a test is about the files of a store.
struct OnDisk: TestTrait {
    let reason: Comment
    var comments: [Comment] { [reason] }
}

extension Trait where Self == EachBackend {
    /// Each test runs on a store, and on a bucket where an S3 server is installed.
    static var onEachBackend: Self { EachBackend() }
}

extension Trait where Self == OnDisk {
    /// The test runs on a store alone.
    static func onDisk(_ reason: Comment) -> Self { OnDisk(reason: reason) }
}

extension Trait where Self == IssueHandlingTrait {
    /// What fails says on which backend it did.
    static var namingBackend: Self {
        .compactMapIssues { issue in
            guard Backend.current != nil else { return issue }
            var issue = issue
            issue.comments.append("on a bucket")
            return issue
        }
    }
}

/// An S3 server on which registries are, each below a prefix of its own.
final class Backend: Sendable {
    /// Where the registries of a test are; nil is a directory.
    @TaskLocal static var current: Backend?
    /// That of a suite whose tests run on each backend.
    @TaskLocal fileprivate static var shared: Backend?
    let server: S3Server
    static let environment = ["AWS_ACCESS_KEY_ID": "volt", "AWS_SECRET_ACCESS_KEY": "secret"]

    init(in directory: String) throws {
        server = try S3Server(in: directory)
        let made = try HTTPClient(port: server.port).request("PUT", "/bucket")
        try #require(made.status == 200, "\(made.text)")
    }

    var endpoint: String { "http://127.0.0.1:\(server.port)" }

    /// A registry on it; servers with the same store below have the same one.
    func bucket(local: RegistryStorage) throws -> BucketStorage {
        let prefix = OCIDigest.of(Array(local.store.path.utf8)).hex.prefix(32)
        let bucket = try S3Bucket(
            "s3://bucket/\(prefix)", endpoint: endpoint, region: "us-east-1",
            account: S3Bucket.Account(environment: Self.environment))
        return BucketStorage(bucket, local: local, cacheLimit: 1 << 30)
    }
}
