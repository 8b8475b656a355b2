import Testing
import VoltCore
import VoltSystem
import VoltTestKit
import VoltWorkload

@testable import ContainerEngine
@testable import VoltRollout

/// What was deployed before runs again with the images that it ran with.
@Suite(.enabled(if: runsAsRoot, "layers have owners, which need root")) struct EarlierImagesTests {
    /// Puts another image into the store under the name `base`.
    private func rename(_ fixture: ApplyFixture, _ text: String) throws -> Digest {
        try Files.replace("\(fixture.scratch.path)/base/bin/httpd", with: text.utf8)
        var overrides = ImageImporter.Overrides()
        overrides.command = ["/bin/httpd"]
        return try ImageImporter(store: fixture.store).importImage(
            from: "\(fixture.scratch.path)/base", name: "base", overrides: overrides
        ).image.digest
    }

    private func running(_ fixture: ApplyFixture) async -> Digest? {
        await fixture.runtime.containers.values.first?.spec.imageDigest
    }

    private func source(_ fixture: ApplyFixture, _ revision: String) throws -> WorkloadRequest {
        try fixture.source(
            revision,
            ["volt-manifest.yaml": ApplyFixture.manifest("\(ApplyFixture.healthy), env: { R: \(revision) }")])
    }

    @Test("an image runs again by its digest, whatever its name means now and when the name is gone")
    func named() async throws {
        let fixture = try ApplyFixture()
        let first = try await fixture.apply(try source(fixture, "r1"))
        let old = try #require(first.images["base"])
        #expect(await running(fixture) == old)
        let new = try rename(fixture, "another")
        #expect(try await fixture.apply(try source(fixture, "r2")).images == ["base": new])
        #expect(
            try await fixture.applier.status(of: fixture.web).images == ["base": new.description])
        var again = try source(fixture, "r1")
        again.images = first.images
        #expect(try await fixture.plan(again).reasons.contains { $0.contains(old.short) })
        #expect(try await fixture.apply(again).images == ["base": old])
        #expect(await running(fixture) == old)
        // The name goes; what may run again stays.
        _ = try fixture.store.remove("base", inUse: [:])
        try fixture.store.collect(inUse: [], grace: .zero)
        again = try source(fixture, "r2")
        again.images = ["base": new]
        #expect(try await fixture.apply(again).status == .deployed)
        #expect(await running(fixture) == new)
    }

    @Test("an image that is no longer there is said, and nothing is changed")
    func gone() async throws {
        let fixture = try ApplyFixture()
        let first = try await fixture.apply(try source(fixture, "r1"))
        let old = try #require(first.images["base"])
        let new = try rename(fixture, "another")
        _ = try await fixture.apply(try source(fixture, "r2"))
        let refusal = try #require(throws: VoltError.self) {
            try fixture.store.remove(old.description, inUse: [:])
        }
        #expect(refusal.code == .conflict && refusal.message.contains("volt-workload/web:1"))
        #expect(try fixture.store.remove("volt-workload/web:1", inUse: [:]).deleted == old)
        var again = try source(fixture, "r1")
        again.images = first.images
        for isPlan in [true, false] {
            let error = await #expect(throws: VoltError.self) {
                if isPlan {
                    _ = try await fixture.plan(again)
                } else {
                    _ = try await fixture.apply(again)
                }
            }
            #expect(error?.code == .notFound)
            #expect(error?.message.contains(old.description) == true)
        }
        #expect(await running(fixture) == new)
        #expect(await fixture.runtime.containers.keys.map(\.text) == ["web-2"])
    }

    @Test("what a Voltfile was built into runs again, and is not built anew on what its base became")
    func built() async throws {
        let fixture = try ApplyFixture()
        let files = ["Voltfile": "FROM base\nCOPY a /a\nEXPOSE 80\n", "a": "1"]
        let first = try await fixture.apply(try fixture.source("r1", files))
        #expect(Array(first.images.keys) == ["./"])
        _ = try rename(fixture, "another")
        let second = try await fixture.apply(try fixture.source("r2", files))
        #expect(second.images["./"] != first.images["./"])
        var again = try fixture.source("r1", files)
        again.images = first.images
        #expect(try await fixture.apply(again).images == first.images)
        #expect(await running(fixture) == first.images["./"])
    }

    @Test(
        "the images of the newest revisions are kept however often one is applied, and older ones are collected"
    )
    func kept() async throws {
        let fixture = try ApplyFixture()
        var images: [Digest] = []
        for number in 1...10 {
            images.append(try rename(fixture, "image \(number)"))
            // The last one is applied twice, with an image each.
            _ = try await fixture.apply(try source(fixture, "r\(min(number, 9))"))
        }
        try fixture.store.collect(inUse: [], grace: .zero)
        let there = try images.map { try fixture.store.image($0) != nil }
        #expect(there == [false] + [Bool](repeating: true, count: 9))
    }

    @Test("a record of an earlier version names the image of its container, and nothing is replaced")
    func upgrade() async throws {
        let fixture = try ApplyFixture()
        let first = try await fixture.apply(try source(fixture, "r1"))
        let records = WorkloadRecords(paths: fixture.paths)
        var record = try #require(try records.read(fixture.web))
        record.images = nil
        record.history = nil
        try records.write(record, fixture.web)
        let status = try await fixture.applier.status(of: fixture.web)
        #expect(status.images == first.images.mapValues(\.description))
        #expect(status.desiredConfig == status.actualConfig)
        #expect(try await fixture.apply(try source(fixture, "r1")).status == .unchanged)
        let new = try rename(fixture, "another")
        _ = try await fixture.apply(try source(fixture, "r2"))
        #expect(await running(fixture) == new)
        var again = try source(fixture, "r1")
        again.images = first.images
        #expect(try await fixture.apply(again).images == first.images)
    }
}
