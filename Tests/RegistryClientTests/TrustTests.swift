import Glibc
import Testing
import VoltSystem
import VoltTestKit

extension Bench {
    /// Writes the trust policy of this host.
    func trust(_ rules: String, otherwise: String = "accept") throws {
        try Files.makeDirectory("\(scratch.path)/root/etc")
        try Files.replace(
            "\(scratch.path)/root/etc/trust.yaml",
            with: "version: 1\ndefault: \(otherwise)\nimages:\n\(rules)\n".utf8)
    }

    /// The rule at line 4 that wants the image `web` signed by a key.
    func trust(signedBy key: String) throws {
        try trust("  - { name: \"\(host)/web\", signedBy: [\(scratch.path)/\(key).pub] }")
    }

    func container(_ words: String...) throws -> ToolRunner.Result {
        try run.run(["volt-container"] + words)
    }

    var web: String { "\(host)/web:1" }
    var policyPath: String { "\(scratch.path)/root/etc/trust.yaml" }
}

@Suite(
    .timeLimit(.minutes(5)),
    .enabled(
        if: geteuid() == 0
            && ["docker-registry", "skopeo", "umoci", "openssl", "curl"].allSatisfy {
                Files.exists("/usr/bin/\($0)")
            },
        "needs root and the packages docker-registry, skopeo, umoci, openssl and curl"))
struct TrustTests {
    private func bench(_ kind: Kind = .volt) throws -> Bench {
        let bench = try Bench(kind)
        _ = try bench.pushedImage("web:1")
        for key in ["team", "other"] { try bench.ok("volt-registry", "key", "create", "--output", key) }
        return bench
    }

    @Test(
        "an image is pulled when it is signed by a key of its rule, and otherwise refused with rule and reason",
        arguments: Kind.allCases)
    func pull(kind: Kind) throws {
        let bench = try bench(kind)
        try bench.trust(signedBy: "team")
        let unsigned = try bench.container("pull", bench.web)
        #expect(
            unsigned.status == 5
                && unsigned.stderr.contains(
                    "image '\(bench.web)' is refused by the rule at '\(bench.policyPath):4': it has no signature"
                )
                && unsigned.stderr.contains("have it signed for '\(bench.scratch.path)/team.pub'"),
            "\(unsigned.stderr)")
        try bench.ok("volt-registry", "sign", "--key", "other.key", bench.web)
        let foreign = try bench.container("pull", bench.web)
        #expect(
            foreign.status == 5 && foreign.stderr.contains("its signature is of another key"),
            "\(foreign.stderr)")
        #expect(try bench.ok("volt-container", "images", "-o", "json").contains(bench.host) == false)
        try bench.ok("volt-registry", "sign", "--key", "team.key", bench.web)
        let taken = try bench.container("pull", "-o", "json", bench.web)
        try bench.ok("openssl", "pkey", "-pubin", "-in", "team.pub", "-outform", "DER", "-out", "der")
        let sum = try bench.ok("sha256sum", "der").prefix(64)
        #expect(taken.status == 0 && taken.stdout.contains("sha256:\(sum)"), "\(taken.stdout)\(taken.stderr)")
        #expect(try bench.container("pull", bench.web).stderr.contains("up to date"))
        // The tag moves to another image, which nobody has signed: the one that is there stays.
        try bench.ok("umoci", "config", "--image", "img:a", "--config.env", "A=b")
        try bench.ok("volt-registry", "copy", "oci:img:a", bench.web)
        #expect(try bench.container("pull", bench.web).status == 5)
        #expect(try bench.container("create", "--name", "old", bench.web, "/bin/x").status == 0)
    }

    @Test("a signature for another name does not count, unless the rule says so")
    func identity() throws {
        let bench = try bench()
        try bench.ok(
            "volt-registry", "sign", "--key", "team.key", "--identity", "registry.example/team/web", bench.web
        )
        try bench.trust(signedBy: "team")
        let refused = try bench.container("pull", bench.web)
        #expect(
            refused.status == 5 && refused.stderr.contains("is for 'registry.example/team/web', and not for"),
            "\(refused.stderr)")
        for identity in ["registry.example/team/web", "any"] {
            try bench.trust(
                "  - { name: \"\(bench.host)/*\", signedBy: [../../team.pub], identity: \(identity) }")
            let taken = try bench.container("pull", bench.web)
            #expect(taken.status == 0, "\(taken.stderr)")
        }
    }

    @Test("an image that is there from before is looked at again, and what was verified needs no registry")
    func strengthened() throws {
        let bench = try bench()
        try bench.ok("volt-container", "pull", bench.web)
        let digest = try bench.ok("volt-container", "pull", bench.web).filter { $0 != "\n" }
        #expect(try bench.container("create", "--name", "a", bench.web, "/bin/x").status == 0)
        try bench.trust(signedBy: "team")
        let old = try bench.container("create", "--name", "b", bench.web, "/bin/x")
        #expect(
            old.status == 5 && old.stderr.contains("\(bench.policyPath):4")
                && old.stderr.contains("no signature"),
            "\(old.stderr)")
        // Nor by its digest, as long as all that it was pulled by is refused.
        let byDigest = try bench.container("create", "--name", "b", digest, "/bin/x")
        #expect(byDigest.status == 5 && byDigest.stderr.contains(bench.web), "\(byDigest.stderr)")
        try bench.ok("volt-registry", "sign", "--key", "team.key", bench.web)
        let signed = try bench.container("create", "--name", "b", bench.web, "/bin/x")
        #expect(signed.status == 0, "\(signed.stderr)")
        bench.stop()
        let held = try bench.container("create", "--name", "c", bench.web, "/bin/x")
        #expect(held.status == 0, "\(held.stderr)")
        #expect(try bench.container("create", "--name", "d", digest, "/bin/x").status == 0)
        // The rule names another key now.
        try bench.trust(signedBy: "other")
        let changed = try bench.container("create", "--name", "e", bench.web, "/bin/x")
        #expect(
            changed.status == 75 && changed.stderr.contains("\(bench.policyPath):4")
                && changed.stderr.contains("its registry cannot be asked"), "\(changed.stderr)")
    }

    @Test("the tag is asked for once: what was verified is what is pulled")
    func once() throws {
        let bench = try bench()
        try bench.trust(signedBy: "team")
        try bench.ok("volt-registry", "sign", "--key", "team.key", bench.web)
        let digest = try bench.ok("volt-registry", "resolve", bench.web).filter { $0 != "\n" }
        let before = try bench.accessLog().count
        #expect(try bench.container("pull", bench.web).status == 0)
        let lines = try bench.accessLog().dropFirst(before)
        #expect(lines.filter { $0.contains("/manifests/1\"") }.count == 1, "\(lines)")
        #expect(lines.contains { $0.contains("GET /v2/web/manifests/\(digest)\"") }, "\(lines)")
    }

    @Test("a policy that cannot be understood or read lets no image pass, and says where it is wrong")
    func broken() throws {
        let bench = try bench()
        try bench.ok("volt-container", "pull", bench.web)
        try bench.ok("volt-container", "import", "--name", "local", "rootfs")
        try bench.trust("  - { name: \"\(bench.host)/web\", signdBy: [x] }")
        for words in [["pull", bench.web], ["create", bench.web, "/bin/x"], ["create", "local", "/bin/x"]] {
            let result = try bench.run.run(["volt-container"] + words)
            #expect(
                result.status == 5 && result.stderr.contains("trust.yaml:4:")
                    && result.stderr.contains("signdBy"),
                "\(result.stderr)")
        }
        try Files.remove(bench.policyPath)
        symlink("nowhere", bench.policyPath)
        #expect(try bench.container("pull", bench.web).stderr.contains("no image is taken"))
        unlink(bench.policyPath)
        let named = try bench.container("pull", "--trust", "none.yaml", bench.web)
        #expect(named.status == 5 && named.stderr.contains("none.yaml"), "\(named.stderr)")
        // Local images are no matter of the policy, and neither are other commands.
        try bench.trust("  []", otherwise: "refuse")
        let other = try bench.container("pull", bench.web)
        #expect(
            other.status == 5 && other.stderr.contains("refused by the rule at '\(bench.policyPath):2'"),
            "\(other.stderr)")
        #expect(try bench.container("create", "local", "/bin/x").status == 0)
        #expect(try bench.container("create", bench.web, "/bin/x").status == 5)
        #expect(try bench.container("images").status == 0)
    }

    @Test("a Voltfile and a manifest are refused for an image that their rule does not want")
    func builds() throws {
        let bench = try bench()
        try bench.trust(signedBy: "team")
        let source = "\(bench.scratch.path)/source"
        try Files.makeDirectory(source)
        try Files.replace("\(source)/Voltfile", with: "FROM \(bench.web)\nENV A=b\n".utf8)
        let build = try bench.container("build", "source")
        #expect(
            build.status == 5 && build.stderr.contains("Voltfile:1: image '\(bench.web)' is refused"),
            "\(build.stderr)")
        try Files.replace(
            "\(source)/volt-manifest.yaml",
            with: "apiVersion: volt/v1\nkind: container\nspec:\n  image: \(bench.web)\n  command: [\"/x\"]\n"
                .utf8)
        let apply = try bench.container(
            "apply", "--workload", "w", "--manifest", "\(source)/volt-manifest.yaml", "--source", source,
            "--revision", "1")
        #expect(
            apply.status == 1 && apply.stderr.contains("it has no signature")
                && apply.stderr.contains("have it signed for"), "\(apply.stderr)")
        try bench.ok("volt-registry", "sign", "--key", "team.key", bench.web)
        let built = try bench.container("build", "source")
        #expect(built.status == 0, "\(built.stderr)")
        // What is in the store and was verified is planned without the registry.
        bench.stop()
        let planned = try bench.container(
            "apply", "--dry-run", "--workload", "w", "--manifest", "\(source)/volt-manifest.yaml", "--source",
            source, "--revision", "1")
        #expect(
            planned.status == 0 && planned.stderr.contains("create"), "\(planned.stdout)\(planned.stderr)")
        try bench.trust(signedBy: "other")
        let refused = try bench.container(
            "apply", "--dry-run", "--workload", "w", "--manifest", "\(source)/volt-manifest.yaml", "--source",
            source, "--revision", "1")
        #expect(refused.status == 5 && refused.stderr.contains("\(bench.policyPath):4"), "\(refused.stderr)")
    }
}
