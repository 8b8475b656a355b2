import Dispatch
import Glibc
import RegistryAccess
import RegistryEngine
import Synchronization
import Testing
import VoltOCI
import VoltS3
import VoltServer
import VoltStore
import VoltSystem
import VoltTestKit

/// A registry in a scratch directory, on a port of the loopback.
final class Subject {
    let scratch: ScratchDirectory
    let store: String
    let storage: RegistryStorage
    let bucket: BucketStorage?
    let server: RegistryServer
    let said = Said()

    final class Said: Sendable {
        let lines = Mutex<[String]>([])
    }

    /// - Parameters:
    ///   - store: one that is there; without, a new one.
    ///   - policy: the text of a policy, beside which a file `htpasswd` with alice and bob lies, whose passwords are
    ///     their names.
    init(
        on store: String? = nil, policy: String? = nil, _ change: (inout RegistrySettings) -> Void = { _ in }
    ) throws {
        scratch = try ScratchDirectory()
        self.store = store ?? "\(scratch.path)/store"
        storage = try RegistryStorage(try ContentStore.create(self.store))
        var settings = RegistrySettings()
        change(&settings)
        var access = AccessControl.everybody()
        if let policy {
            let run = ToolRunner(scratch: scratch.path)
            for (user, option) in [("alice", "-cbB"), ("bob", "-bB")] {
                try #require(try run("htpasswd", option, "htpasswd", user, user).status == 0)
            }
            try Files.replace("\(scratch.path)/policy.yaml", with: policy.utf8)
            access = try .open(policy: "\(scratch.path)/policy.yaml", now: SystemClock().now())
        }
        let said = said
        bucket = try Backend.current?.bucket(local: storage)
        server = RegistryServer(
            storage, bucket: bucket, options: .init(address: "127.0.0.1", port: 0), settings: settings,
            access: access, clock: SystemClock(),
            report: { line in said.lines.withLock { $0.append(line) } })
        try server.prepare()
        _ = try server.bind()
    }

    deinit { server.drain() }

    /// One request on a connection of its own.
    func request(
        _ method: String, _ path: String, headers: [(String, String)] = [], body: [UInt8] = []
    ) throws -> HTTPClient.Answer {
        try HTTPClient(port: UInt16(server.port), timeoutSeconds: 20).request(
            method, path, headers: headers, body: body)
    }

    /// Begins an upload; its path.
    func begin(_ repository: String, _ query: String = "") throws -> String {
        let answer = try request("POST", "/v2/\(repository)/blobs/uploads/\(query)")
        try #require(answer.status == 202, "\(answer.text)")
        return try #require(answer.headers["location"])
    }

    /// Pushes a blob; its digest.
    @discardableResult
    func push(_ bytes: [UInt8], to repository: String) throws -> OCIDigest {
        let digest = OCIDigest.of(bytes)
        let place = try begin(repository)
        let answer = try request("PUT", "\(place)?digest=\(digest)", body: bytes)
        try #require(answer.status == 201, "\(answer.text)")
        return digest
    }

    func descriptor(_ type: String, _ bytes: [UInt8]) -> String {
        "{\"mediaType\":\"\(type)\",\"digest\":\"\(OCIDigest.of(bytes))\",\"size\":\(bytes.count)}"
    }

    /// An image whose blobs are there; its bytes.
    func image(_ text: String, in repository: String, more: String = "") throws -> [UInt8] {
        let (config, layer) = (Array("{\"about\":\"\(text)\"}".utf8), Array("layer \(text)".utf8))
        try push(config, to: repository)
        try push(layer, to: repository)
        return Array(
            """
            {"schemaVersion":2,"mediaType":"\(OCIMediaType.manifest)",\(more)\
            "config":\(descriptor(OCIMediaType.config, config)),\
            "layers":[\(descriptor("\(OCIMediaType.layer)+gzip", layer))],"x-unknown" : [ 1,  2 ]}
            """.utf8)
    }

    /// Pushes a manifest.
    @discardableResult
    func put(
        _ manifest: [UInt8], _ reference: String, in repository: String, type: String = OCIMediaType.manifest
    ) throws -> HTTPClient.Answer {
        try request(
            "PUT", "/v2/\(repository)/manifests/\(reference)", headers: [("Content-Type", type)],
            body: manifest)
    }

    /// Pushes an image with a tag; its digest.
    @discardableResult
    func tag(_ tag: String, in repository: String, text: String? = nil) throws -> OCIDigest {
        let image = try image(text ?? tag, in: repository)
        let answer = try put(image, tag, in: repository)
        try #require(answer.status == 201, "\(answer.text)")
        return OCIDigest.of(image)
    }
}

extension HTTPClient.Answer {
    /// The code of the first error of the registry's JSON.
    var code: String? {
        text.split(separator: "\"code\":\"").dropFirst().first.map { String($0.prefix { $0 != "\"" }) }
    }
}

/// Set once, by another thread.
final class Flag: Sendable {
    private let value = Mutex(false)
    var isSet: Bool { value.withLock { $0 } }
    func set() { value.withLock { $0 = true } }
}

/// Collects without any grace, again and again, on a thread of its own, with time between for some pushes to be whole.
final class Collector: Sendable {
    private let state = Mutex((rounds: 0, isOver: false))

    init(_ storage: RegistryStorage, _ done: Flag) {
        DispatchQueue(label: "collector").async { [self] in
            var rules = RetentionRules()
            rules.grace = .zero
            while !done.isSet {
                _ = try? storage.collect(rules, now: SystemClock().now(), dryRun: false)
                state.withLock { $0.rounds += 1 }
                usleep(20_000)
            }
            state.withLock { $0.isOver = true }
        }
    }

    var rounds: Int { state.withLock { $0.rounds } }

    func join() { while !state.withLock({ $0.isOver }) { usleep(1000) } }
}
