import Glibc
import Testing
import VoltCore
import VoltSystem
import VoltTestKit
import VoltWorkload

@testable import ContainerEngine
@testable import VoltRollout

let runsAsRoot = geteuid() == 0

/// Collects events.
actor EventLog {
    private(set) var events: [ApplyEvent] = []
    func add(_ event: ApplyEvent) { events.append(event) }
}

final class ApplyFixture {
    let scratch: ScratchDirectory
    let runtime = MemoryRuntime()
    let store: ImageStore
    let applier: Rollout<ContainerKind>
    let kinds = MemoryKinds()
    let paths: HostPaths
    let web: Name

    init() throws {
        scratch = try ScratchDirectory()
        paths = try HostPaths(tool: "container", environment: ["VOLT_ROOT": "\(scratch.path)/root"])
        store = try ImageStore(paths: paths, clock: SystemClock())
        applier = Rollout(
            kind: "container",
            runtime: ContainerKind(images: ImageSource(store: store), runtime: runtime, paths: paths),
            paths: paths, others: kinds, clock: SystemClock(), aliveFor: .milliseconds(300))
        web = try Name("web")
        try Files.makeDirectory("\(scratch.path)/base/bin")
        try Files.replace("\(scratch.path)/base/bin/httpd", with: "x".utf8)
        var overrides = ImageImporter.Overrides()
        overrides.command = ["/bin/httpd"]
        _ = try ImageImporter(store: store).importImage(
            from: "\(scratch.path)/base", name: "base", overrides: overrides)
    }

    /// Writes a source directory and gives the request for it.
    func source(_ revision: String, _ files: [String: String], timeout: Duration = .seconds(60)) throws
        -> WorkloadRequest
    {
        let directory = "\(scratch.path)/source-\(revision)"
        for (name, text) in files {
            try Files.makeDirectory(Files.parent(of: "\(directory)/\(name)"))
            try Files.replace("\(directory)/\(name)", with: text.utf8)
        }
        let name =
            files["Voltfile"] != nil && files["volt-manifest.yaml"] == nil ? "Voltfile" : "volt-manifest.yaml"
        return .init(
            workload: web, file: "\(directory)/\(name)", source: directory, revision: revision,
            timeout: timeout)
    }

    static func manifest(_ spec: String) -> String {
        "apiVersion: volt/v1\nkind: container\nspec: { \(spec) }\n"
    }

    static let healthy = "image: base, ports: ['8080:80'], health: { http: { port: 80 } }"

    /// The plan of an apply.
    func plan(_ request: WorkloadRequest) async throws -> ServicePlan {
        try #require(try await applier.plan(request).first)
    }

    @discardableResult
    func apply(_ request: WorkloadRequest, log: EventLog = EventLog()) async throws
        -> ApplyOutcome
    {
        let (stream, continuation) = AsyncStream.makeStream(of: ApplyEvent.self)
        let collecting = Task { for await event in stream { await log.add(event) } }
        defer { continuation.finish() }
        let outcome: Result<ApplyOutcome, any Error>
        do { outcome = .success(try await applier.apply(request) { continuation.yield($0) }) } catch {
            outcome = .failure(error)
        }
        continuation.finish()
        await collecting.value
        return try outcome.get()
    }
}

@Suite(.enabled(if: runsAsRoot, "layers have owners, which need root")) struct ApplyTests {
    @Test("the first apply starts the workload, the second replaces it, the steps come in their order")
    func deploy() async throws {
        let fixture = try ApplyFixture()
        let log = EventLog()
        let one = try await fixture.apply(
            try fixture.source("r1", ["volt-manifest.yaml": ApplyFixture.manifest(ApplyFixture.healthy)]),
            log: log)
        #expect(one.status == .deployed && one.generation == "web-1")
        let steps = await log.events.compactMap {
            if case .step(let step, let state, _, _) = $0 {
                "\(step.rawValue) \(state.rawValue)"
            } else {
                nil
            }
        }
        #expect(
            steps
                == ["prepare", "start", "check", "switch", "stop-old"].flatMap {
                    ["\($0) started", "\($0) done"]
                })
        let two = try await fixture.apply(
            try fixture.source(
                "r2", ["volt-manifest.yaml": ApplyFixture.manifest(ApplyFixture.healthy + ", env: { A: b }")])
        )
        #expect(two.generation == "web-2")
        #expect(await fixture.runtime.containers.keys.map(\.text) == ["web-2"])
        #expect(await fixture.runtime.ports.mapValues(\.text) == [8080: "web-2"])
        #expect(await !fixture.runtime.wasEverDown)
        let status = try await fixture.applier.status(of: fixture.web)
        #expect(status.state == .running && status.health == .healthy && status.actualRevision == "r2")
    }

    @Test("what comes to the same is unchanged, whatever the revision and the times of the files")
    func unchanged() async throws {
        let fixture = try ApplyFixture()
        let files = [
            "volt-manifest.yaml": ApplyFixture.manifest(
                ApplyFixture.healthy + ", volumes: ['./conf:/etc/conf']"), "conf/a": "1",
        ]
        _ = try await fixture.apply(try fixture.source("r1", files))
        #expect(try await fixture.apply(try fixture.source("r2", files)).status == .unchanged)
        let status = try await fixture.applier.status(of: fixture.web)
        #expect(status.desiredRevision == "r2" && status.actualRevision == "r1")
        let changed = try await fixture.apply(try fixture.source("r3", files.merging(["conf/a": "2"]) { $1 }))
        #expect(changed.status == .deployed && changed.generation == "web-2")
        await fixture.runtime.kill(try Name("web-2"))
        #expect(
            try await fixture.apply(try fixture.source("r4", files.merging(["conf/a": "2"]) { $1 }))
                .generation == "web-3")
    }

    @Test("status tells what runs from what was applied, and an apply of the same makes it good")
    func drift() async throws {
        let fixture = try ApplyFixture()
        let files = ["volt-manifest.yaml": ApplyFixture.manifest(ApplyFixture.healthy)]
        _ = try await fixture.apply(try fixture.source("r1", files))
        let good = try await fixture.applier.status(of: fixture.web)
        #expect(good.desiredConfig != nil && good.actualConfig == good.desiredConfig && good.stopped == nil)
        await fixture.runtime.change(try Name("web-1")) { $0.spec.environment["A"] = "changed" }
        let changed = try await fixture.applier.status(of: fixture.web)
        #expect(changed.desiredConfig == good.desiredConfig && changed.actualConfig != good.desiredConfig)
        #expect(try await fixture.apply(try fixture.source("r1", files)).generation == "web-2")
        #expect(try await fixture.applier.status(of: fixture.web).actualConfig == good.desiredConfig)
        await fixture.runtime.change(try Name("web-2")) {
            $0.activity = .exited
            $0.isStoppedByHand = true
        }
        #expect(try await fixture.applier.status(of: fixture.web).stopped == .byHand)
        await fixture.runtime.change(try Name("web-2")) { $0.isStoppedByHand = false }
        #expect(try await fixture.applier.status(of: fixture.web).stopped == nil)
        await fixture.runtime.change(try Name("web-2")) { $0.spec.restart = .no }
        #expect(try await fixture.applier.status(of: fixture.web).stopped == .finished)
        await fixture.runtime.forget(try Name("web-2"))
        let gone = try await fixture.applier.status(of: fixture.web)
        #expect(
            gone.state == .absent && gone.desiredConfig == good.desiredConfig && gone.actualConfig == nil)
    }

    @Test(
        "on a failure the new container goes, its last lines are shown, and the old one keeps serving",
        arguments: [
            (MemoryRuntime.Behaviour.unhealthy, "'web-2' is unhealthy"),
            (.ends(7), "'web-2' ended with 7 before it was healthy"),
            (.never, "'web-2' did not get ready in time: it is not healthy"),
        ])
    func failure(behaviour: MemoryRuntime.Behaviour, message: String) async throws {
        let fixture = try ApplyFixture()
        _ = try await fixture.apply(
            try fixture.source("r1", ["volt-manifest.yaml": ApplyFixture.manifest(ApplyFixture.healthy)]))
        await fixture.runtime.behave(behaviour)
        let log = EventLog()
        let next = try fixture.source(
            "r2", ["volt-manifest.yaml": ApplyFixture.manifest(ApplyFixture.healthy + ", command: [x]")],
            timeout: message.contains("in time") ? .milliseconds(600) : .seconds(60))
        await #expect { try await fixture.apply(next, log: log) } throws: {
            ($0 as? VoltError)?.message == message
        }
        #expect(await fixture.runtime.containers.keys.map(\.text) == ["web-1"])
        #expect(await fixture.runtime.ports.mapValues(\.text) == [8080: "web-1"])
        #expect(await log.events.contains(.log(stream: "stderr", line: "last words of web-2")))
        #expect(try await fixture.applier.status(of: fixture.web).desiredRevision == "r1")
        // A number is not used twice.
        await fixture.runtime.behave(.healthy)
        #expect(try await fixture.apply(next).status == .deployed)
    }

    @Test("a port that is taken fails the switch and the old one keeps its ports")
    func takenPort() async throws {
        let fixture = try ApplyFixture()
        _ = try await fixture.apply(
            try fixture.source("r1", ["volt-manifest.yaml": ApplyFixture.manifest(ApplyFixture.healthy)]))
        await fixture.runtime.refusePorts(true)
        let next = try fixture.source(
            "r2",
            [
                "volt-manifest.yaml": ApplyFixture.manifest(
                    "image: base, ports: ['9090:80'], health: { tcp: 80 }")
            ])
        await #expect(throws: VoltError.self) { try await fixture.apply(next) }
        #expect(await fixture.runtime.ports.mapValues(\.text) == [8080: "web-1"])
        #expect(await fixture.runtime.containers.count == 1)
    }

    @Test("without a health check a workload must stay alive and its ports accept")
    func alive() async throws {
        let fixture = try ApplyFixture()
        let spec = ApplyFixture.manifest("image: base, ports: ['8080:80']")
        let started = ContinuousClock.now
        _ = try await fixture.apply(try fixture.source("r1", ["volt-manifest.yaml": spec]))
        #expect(ContinuousClock.now - started >= .milliseconds(300))
        await fixture.runtime.behave(.closedPort)
        let next = try fixture.source(
            "r2",
            ["volt-manifest.yaml": ApplyFixture.manifest("image: base, ports: ['8080:80'], command: [x]")],
            timeout: .seconds(1))
        await #expect { try await fixture.apply(next) } throws: {
            ($0 as? VoltError)?.message == "'web-2' did not get ready in time: port 80 does not accept"
        }
    }

    @Test(
        "a process that dies at any step leaves the old or the new one serving, and the next apply cleans up",
        arguments: [false, true])
    func death(isFirst: Bool) async throws {
        for call in 1...40 {
            let fixture = try ApplyFixture()
            if !isFirst {
                _ = try await fixture.apply(
                    try fixture.source(
                        "r1", ["volt-manifest.yaml": ApplyFixture.manifest(ApplyFixture.healthy)]))
            }
            let next = try fixture.source(
                "r2", ["volt-manifest.yaml": ApplyFixture.manifest(ApplyFixture.healthy + ", command: [x]")])
            await fixture.runtime.die(at: call)
            let died = (try? await fixture.apply(next)) == nil
            let ports = await fixture.runtime.ports
            #expect(ports.count == 1 || (isFirst && ports.isEmpty), "call \(call)")
            for target in ports.values {
                #expect(await fixture.runtime.containers[target] != nil, "call \(call)")
            }
            await fixture.runtime.die(at: nil)
            let outcome = try await fixture.apply(next)
            #expect(await fixture.runtime.containers.keys.map(\.text) == [outcome.generation], "call \(call)")
            #expect(
                await fixture.runtime.ports.mapValues(\.text) == [8080: outcome.generation], "call \(call)")
            #expect(await !fixture.runtime.wasEverDown, "call \(call)")
            if !died { return }
        }
        Issue.record("an apply makes more than 40 calls")
    }

    @Test("a cancelled apply leaves the old one, and removes the new one")
    func cancelled() async throws {
        let fixture = try ApplyFixture()
        _ = try await fixture.apply(
            try fixture.source("r1", ["volt-manifest.yaml": ApplyFixture.manifest(ApplyFixture.healthy)]))
        await fixture.runtime.behave(.never)
        let next = try fixture.source(
            "r2", ["volt-manifest.yaml": ApplyFixture.manifest(ApplyFixture.healthy + ", command: [x]")])
        let (stream, continuation) = AsyncStream.makeStream(of: ApplyEvent.self)
        let applier = fixture.applier
        let task = Task { try await applier.apply(next) { continuation.yield($0) } }
        for await event in stream { if case .step(.check, .started, _, _) = event { break } }
        task.cancel()
        await #expect(throws: CancellationError.self) { try await task.value }
        #expect(await fixture.runtime.containers.keys.map(\.text) == ["web-1"])
        #expect(await fixture.runtime.ports.mapValues(\.text) == [8080: "web-1"])
    }

    @Test("a bare Voltfile is built, run, and publishes what it exposes")
    func voltfile() async throws {
        let fixture = try ApplyFixture()
        let voltfile =
            "FROM base\nCOPY index.html /www/\nRUN make\nEXPOSE 8080 53/udp\nCMD [\"/bin/httpd\", \"-f\"]\n"
        let log = EventLog()
        _ = try await fixture.apply(
            try fixture.source("r1", ["Voltfile": voltfile, "index.html": "1"]), log: log)
        #expect(await log.events.contains(.log(stream: "stdout", line: "step 2/5: COPY index.html /www/")))
        #expect(await fixture.runtime.ports.mapValues(\.text) == [8080: "web-1"])
        let spec = try #require(await fixture.runtime.containers[try Name("web-1")]?.spec)
        #expect(spec.command == ["/bin/httpd", "-f"] && spec.lowers.count == 3)
        #expect(try fixture.store.resolve("volt-workload/web:1").digest == spec.imageDigest)
        for revision in 2...10 {
            _ = try await fixture.apply(
                try fixture.source("r\(revision)", ["Voltfile": voltfile, "index.html": "\(revision)"]))
        }
        let names = try fixture.store.images().flatMap(\.names).filter { $0.hasPrefix("volt-workload/") }
            .sorted()
        #expect(Set(names) == Set((3...10).map { "volt-workload/web:\($0)" }))
    }

    @Test("a build that fails leaves the old one, and its error names the line")
    func failedBuild() async throws {
        let fixture = try ApplyFixture()
        _ = try await fixture.apply(
            try fixture.source("r1", ["volt-manifest.yaml": ApplyFixture.manifest(ApplyFixture.healthy)]))
        let failing = try fixture.source("r2", ["Voltfile": "FROM base\nRUN [\"false\"]\n"])
        await #expect { try await fixture.apply(failing) } throws: {
            ($0 as? BuildStepFailure)?.error.message == "Voltfile:2: 'RUN [\"false\"]' ended with 1"
        }
        let broken = try fixture.source("r3", ["Voltfile": "FROM base\nHEALTHCHECK x\n"])
        await #expect { try await fixture.apply(broken) } throws: {
            ($0 as? VoltError)?.message == "Voltfile parse error: Voltfile:2: 'HEALTHCHECK' is not supported"
        }
        #expect(await fixture.runtime.ports.mapValues(\.text) == [8080: "web-1"])
    }

    @Test(
        "a definition that cannot be carried out is refused before anything starts",
        arguments: [
            ("image: nothing", "image 'nothing' is not in the local store"),
            (
                "image: base, volumes: ['./conf:/x']",
                "volt-manifest.yaml: 'conf' is not a file or directory of the source"
            ),
            (
                "image: base, volumes: ['./link:/x']",
                "volt-manifest.yaml: 'link' is not a file or directory of the source"
            ),
            ("build: ./link", "'link' is not a directory of the source"),
            ("build: ./link/sub", "'link/sub' passes a link"),
            (
                "rootfs: ./link, command: [x]",
                "volt-manifest.yaml: 'link' is not a file or directory of the source"
            ),
            ("image: base, volumes: ['./link/x:/x']", "volt-manifest.yaml: 'link/x' passes a link"),
            ("rootfs: ./tree", "volt-manifest.yaml: nothing says what to run"),
        ])
    func refused(spec: String, message: String) async throws {
        let fixture = try ApplyFixture()
        let request = try fixture.source(
            "r1", ["volt-manifest.yaml": ApplyFixture.manifest(spec), "tree/bin/x": "x"])
        symlink("/etc", "\(request.source)/link")
        await #expect { try await fixture.apply(request) } throws: {
            ($0 as? VoltError)?.message.hasPrefix(message) == true
        }
        #expect(await fixture.runtime.containers.isEmpty)
    }

    @Test("a definition that is a link out of the source is not read")
    func linkedDefinition() async throws {
        let fixture = try ApplyFixture()
        try Files.replace("\(fixture.scratch.path)/host-secret", with: "secret: value\n".utf8)
        let request = try fixture.source("r1", ["other": "x"])
        symlink("../host-secret", request.file)
        await #expect {
            try await fixture.apply(request)
        } throws: {
            ($0 as? VoltError)?.code == .refused && ($0 as? VoltError)?.message.contains("secret: ") == false
        }
    }

    @Test("a manifest of another workload is refused")
    func otherName() async throws {
        let fixture = try ApplyFixture()
        let text = "apiVersion: volt/v1\nkind: container\nname: api\nspec: { image: base }\n"
        await #expect {
            try await fixture.apply(try fixture.source("r1", ["volt-manifest.yaml": text]))
        } throws: {
            ($0 as? VoltError)?.message
                == "volt-manifest.yaml: the manifest is of workload 'api', not of 'web'"
        }
    }

    @Test("two applies of one workload wait for each other, and give up in time")
    func lock() async throws {
        let fixture = try ApplyFixture()
        await fixture.runtime.behave(.never)
        let slow = try fixture.source(
            "r1", ["volt-manifest.yaml": ApplyFixture.manifest(ApplyFixture.healthy)], timeout: .seconds(5))
        let (stream, continuation) = AsyncStream.makeStream(of: ApplyEvent.self)
        let applier = fixture.applier
        let task = Task { try await applier.apply(slow) { continuation.yield($0) } }
        for await event in stream { if case .step(.check, .started, _, _) = event { break } }
        let other = try fixture.source(
            "r2", ["volt-manifest.yaml": ApplyFixture.manifest(ApplyFixture.healthy)],
            timeout: .milliseconds(200))
        await #expect { try await fixture.apply(other) } throws: { ($0 as? VoltError)?.code == .tryAgain }
        task.cancel()
        _ = try? await task.value
    }

    @Test("remove takes containers and ports away, keeps volumes unless asked, and knows what is not there")
    func remove() async throws {
        let fixture = try ApplyFixture()
        await #expect {
            try await fixture.applier.remove(fixture.web, withVolumes: false, timeout: .seconds(1))
        } throws: { ($0 as? VoltError)?.code == .notFound }
        _ = try await fixture.apply(
            try fixture.source(
                "r1",
                [
                    "volt-manifest.yaml": ApplyFixture.manifest(
                        ApplyFixture.healthy + ", volumes: ['data:/data']")
                ]))
        #expect(await fixture.runtime.containers.values.first?.spec.mounts.first?.source == "web.data")
        await fixture.runtime.addVolume("web.data")
        await fixture.runtime.addVolume("other.data")
        _ = try await fixture.applier.remove(fixture.web, withVolumes: false, timeout: .seconds(1))
        #expect(await fixture.runtime.containers.isEmpty)
        #expect(await fixture.runtime.ports.isEmpty)
        #expect(await fixture.runtime.volumeNames == ["web.data", "other.data"])
        #expect(try await fixture.applier.status(of: fixture.web).state == .absent)
        _ = try await fixture.applier.remove(fixture.web, withVolumes: true, timeout: .seconds(1))
        #expect(await fixture.runtime.volumeNames == ["other.data"])
    }

    @Test("a long name is cut so that its generations have names, too")
    func longName() throws {
        let long = try Name(String(repeating: "a", count: 60) + "-bc")
        #expect(try Name.instance(of: long, generation: 12).text == String(repeating: "a", count: 60) + "-12")
    }
}
