import Testing
import VoltCore
import VoltSystem
import VoltWorkload

@testable import ContainerEngine
@testable import VoltRollout

@Suite(.timeLimit(.minutes(1))) struct PlanTests {
    @Test("a plan names what would be made, kept or replaced and why, and starts nothing")
    func plans() async throws {
        let fixture = try ApplyFixture()
        let first = try fixture.source(
            "1", ["volt-manifest.yaml": ApplyFixture.manifest("image: base, env: { TOKEN: one }")])
        #expect(
            try await fixture.plan(first)
                == ServicePlan(service: "web", change: .create, reasons: ["there is no such workload yet"]))
        #expect(try await fixture.runtime.generations(of: fixture.web).isEmpty)
        _ = try await fixture.applier.apply(first) { _ in }
        #expect(try await fixture.plan(first).change == .unchanged)

        let second = try fixture.source(
            "2",
            [
                "volt-manifest.yaml": ApplyFixture.manifest(
                    "image: base, env: { TOKEN: two, MORE: x }, ports: [\"8080:80\"], restart: always")
            ])
        let plan = try await fixture.plan(second)
        #expect(plan.change == .replace)
        #expect(
            plan.reasons == [
                "environment: MORE, TOKEN", "ports: none -> 0.0.0.0:8080:80", "restart: on-failure -> always",
            ])
        #expect(try await fixture.runtime.generations(of: fixture.web).count == 1)
        await fixture.runtime.kill(try Name("web-1"))
        #expect(try await fixture.plan(first).reasons == ["'web-1' does not run"])
    }

    @Test("a plan builds nothing: it says that an image is to be built, and knows one that was built before")
    func builds() async throws {
        let fixture = try ApplyFixture()
        func source(_ revision: String, _ text: String) throws -> WorkloadRequest {
            try fixture.source(
                revision,
                [
                    "Voltfile": "FROM base\nWORKDIR /srv/new\nCOPY page .\nCMD [\"/bin/httpd\"]\n",
                    "page": text,
                ])
        }
        let first = try source("1", "one")
        _ = try await fixture.applier.apply(first) { _ in }
        #expect(try await fixture.plan(first).change == .unchanged)
        let layers = try Files.list("\(fixture.store.root)/layers")
        let second = try await fixture.plan(try source("2", "two"))
        #expect(second.change == .replace)
        #expect(second.reasons.first?.hasPrefix("the image is to be built") == true)
        #expect(try Files.list("\(fixture.store.root)/layers") == layers)
        let bad = try fixture.source(
            "3", ["volt-manifest.yaml": "apiVersion: volt/v1\nkind: container\nspecs: {}\n"])
        await #expect(throws: VoltError.self) { try await fixture.plan(bad) }
    }
}
