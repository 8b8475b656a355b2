import Glibc
import Testing
import VoltCore
import VoltSystem
import VoltTestKit

@testable import VoltS3

@Suite(
    .timeLimit(.minutes(6)),
    .enabled(if: S3Server.isThere, "needs moto, which 'scripts/setup test' installs with pip"))
final class S3Tests {
    private let scratch: ScratchDirectory

    init() throws { scratch = try ScratchDirectory() }

    private func client(
        _ server: S3Server, secret: String = "secret", keyID: String = "volt",
        _ place: String = "s3://bucket/a/b"
    ) throws -> S3Client {
        let bucket = try S3Bucket(
            place, endpoint: "http://127.0.0.1:\(server.port)", region: "us-east-1",
            account: S3Bucket.Account(keyID: keyID, secret: secret))
        return S3Client(bucket)
    }

    /// A server with one empty bucket.
    private func server() throws -> S3Server {
        let server = try S3Server(in: scratch.path)
        let made = try HTTPClient(port: server.port).request(
            "PUT", "/bucket")
        try #require(made.status == 200, "\(made.text)")
        return server
    }

    private func code(_ body: () throws -> Void) -> VoltError? {
        do { try body() } catch { return error as? VoltError }
        return nil
    }

    @Test("objects are written, read, listed in order and page by page, and removed")
    func objects() throws {
        let server = try server()
        let client = try client(server)
        let other = try self.client(server, "s3://bucket/a/bc")
        #expect(try client.get("x") == nil)
        for number in 0..<25 { try client.put("list/\(number)", Array("\(number)".utf8)) }
        try other.put("list/other", [1])
        #expect(try client.get("list/7") == Array("7".utf8))
        var keys: [String] = []
        try client.list("list/", page: 10) { object throws(VoltError) in
            keys.append(object.key)
            #expect(object.size == UInt64(object.key.utf8.count - 5))
            #expect(abs(object.modified - Int64(time(nil))) < 100)
            return true
        }
        #expect(keys == (0..<25).map { "list/\($0)" }.sorted())
        #expect(try client.list("list/", limit: 3).map(\.key) == ["list/0", "list/1", "list/10"])
        #expect(try client.list("none/").isEmpty)
        try client.delete("list/7")
        try client.delete("list/7")
        #expect(try client.get("list/7") == nil)
        let large = code { _ = try client.get("list/12", limit: 1) }
        #expect(large?.code == .refused)
    }

    @Test("a file goes in one request, and a large one in parts", arguments: [1_000_000, 150_000_000])
    func files(size: Int) throws {
        let server = try server()
        let client = try client(server)
        let bytes = (0..<size).map { UInt8(truncatingIfNeeded: $0 &* 31 >> 7) }
        let path = "\(scratch.path)/file"
        try Files.replace(path, with: bytes)
        let descriptor = open(path, O_RDONLY)
        defer { close(descriptor) }
        try client.put("blobs/one", from: descriptor, size: UInt64(size))
        var back: [UInt8] = []
        let isThere = try client.read("blobs/one") { part throws(VoltError) in back += part }
        #expect(isThere && back == bytes)
        let none = try client.read("blobs/two") { _ throws(VoltError) in Issue.record("bytes of nothing") }
        #expect(!none)
    }

    @Test("a bucket that is not there, and a server that is none, are told")
    func mistakes() throws {
        let server = try server()
        let missing = try client(server, "s3://nobody")
        let error = code { _ = try missing.get("x") }
        #expect(error?.code == .notFound && error?.message.contains("NoSuchBucket") ?? false)
        let odd = try ScriptedHTTPServer { _ in .answer(200, body: "<html>") }
        let other = S3Client(
            try S3Bucket(
                "s3://bucket", endpoint: odd.origin, region: "us-east-1",
                account: S3Bucket.Account(keyID: "a", secret: "b")))
        let list = code { _ = try other.list("x") }
        #expect(list?.message.contains("no list of objects") ?? false)
    }

    @Test("what fails for a while is tried again, and nothing of the secret is said")
    func retries() throws {
        let server = try ScriptedHTTPServer { request in
            request.path.contains("slow")
                ? .answer(503, body: "<Error><Code>SlowDown</Code><Message>less</Message></Error>")
                : .answer(403, body: "<Error><Code>AccessDenied</Code><Message>no</Message></Error>")
        }
        let bucket = try S3Bucket(
            "s3://bucket", endpoint: server.origin, region: "eu-1",
            account: S3Bucket.Account(keyID: "me", secret: "tops3cret", sessionToken: "lent"))
        let client = S3Client(bucket)
        let slow = code { try client.put("slow", [1]) }
        #expect(slow?.code == .tryAgain && server.requests.count == 6)
        let refused = code { try client.put("x", [1]) }
        #expect(refused?.code == .refused && server.requests.count == 7)
        #expect("\(String(describing: refused))\(String(describing: slow))".contains("AccessDenied"))
        #expect(!"\(String(describing: refused))\(String(describing: slow))".contains("tops3cret"))
        let last = try #require(server.requests.last)
        let authorization = last.headers["authorization"] ?? ""
        #expect(authorization.hasPrefix("AWS4-HMAC-SHA256 Credential=me/"), "\(last.headers)")
        #expect(
            authorization.contains("/eu-1/s3/aws4_request") && authorization.contains("x-amz-security-token"))
    }

    @Test(
        "what is no bucket is refused",
        arguments: [
            "", "s3://", "bucket", "s3://B", "s3://bucket/..", "s3://bucket/a?b", "s3://ab/c", "s3://a b",
        ])
    func places(text: String) {
        let error = code {
            _ = try S3Bucket(
                text, endpoint: nil, region: "us-east-1", account: S3Bucket.Account(keyID: "a", secret: "b"))
        }
        #expect(error?.code == .usage, "\(text)")
    }
}

@Suite struct S3ListingTests {
    @Test(
        "a size that no object has is no list",
        arguments: [
            ("9223372036854775807", true), ("9223372036854775808", false), ("18446744073709551615", false),
        ])
    func sizes(size: String, isList: Bool) {
        let object =
            "<Contents><Key>a</Key><Size>\(size)</Size><LastModified>2026-11-24T03:26:01.000Z</LastModified></Contents>"
        let answer = "<ListBucketResult>\(object)\(object)</ListBucketResult>"
        #expect((S3Listing(Array(answer.utf8)) != nil) == isList)
    }
}
