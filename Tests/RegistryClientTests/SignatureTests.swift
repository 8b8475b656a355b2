import Glibc
import Testing
import VoltCore
import VoltCrypto
import VoltOCI
import VoltSystem
import VoltTestKit

extension Bench {
    /// Tells skopeo that signatures lie beside the images of this registry.
    func skopeoRegistries() throws {
        try Files.makeDirectory("\(scratch.path)/registries.d")
        try Files.replace(
            "\(scratch.path)/registries.d/here.yaml",
            with: "docker:\n  \(host):\n    use-sigstore-attachments: true\n".utf8)
    }

    /// A policy of skopeo that takes images of this registry with a signature of the key alone.
    func skopeoCopy(_ name: String, signedBy key: String, to directory: String) throws -> ToolRunner.Result {
        try skopeoRegistries()
        try Files.replace(
            "\(scratch.path)/policy.json",
            with: """
                {"default": [{"type": "reject"}], "transports": {"docker": {"\(host)": [{
                    "type": "sigstoreSigned", "keyPath": "\(scratch.path)/\(key)",
                    "signedIdentity": {"type": "matchRepository"}}]}}}
                """.utf8)
        return try run.run([
            "skopeo", "--policy", "policy.json", "--registries.d", "\(scratch.path)/registries.d", "copy",
            "--src-tls-verify=false", "docker://\(host)/\(name)", "dir:\(directory)",
        ])
    }

    /// Pushes a signature that OpenSSL made over a payload in cosign's form, below cosign's tag.
    func signByOpenSSL(_ key: String, payload: String, of digest: String, to name: String) throws {
        try Files.replace("\(scratch.path)/payload.json", with: payload.utf8)
        try ok("openssl", "dgst", "-sha256", "-sign", key, "-out", "signature", "payload.json")
        let signature = Base64.encode(try Files.read("\(scratch.path)/signature"))
        let blob = OCIDigest.of(Array(payload.utf8))
        try ok("volt-registry", "blob", "push", "\(host)/\(name)", "payload.json")
        let config =
            #"{"architecture":"","created":"0001-01-01T00:00:00Z","history":[{"created":"0001-01-01T00:00:00Z"}],"#
            + #""os":"","rootfs":{"type":"layers","diff_ids":["\#(blob)"]},"config":{}}"#
        try Files.replace("\(scratch.path)/config.json", with: config.utf8)
        try ok("volt-registry", "blob", "push", "\(host)/\(name)", "config.json")
        let manifest = """
            {"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json","config":\
            {"mediaType":"application/vnd.oci.image.config.v1+json","size":\(config.utf8.count),\
            "digest":"\(OCIDigest.of(Array(config.utf8)))"},"layers":[\
            {"mediaType":"application/vnd.dev.cosign.simplesigning.v1+json","size":\(payload.utf8.count),\
            "digest":"\(blob)","annotations":{"dev.cosignproject.cosign/signature":"\(signature)"}}]}
            """
        try Files.replace("\(scratch.path)/manifest.json", with: manifest.utf8)
        let tag = "\(digest.replacing(":", with: "-")).sig"
        let url = "http://\(host)/v2/\(name)/manifests/\(tag)"
        try ok(
            "curl", "-sSf", "-X", "PUT", "-H", "Content-Type: application/vnd.oci.image.manifest.v1+json",
            "--data-binary", "@manifest.json", url)
    }

    func opensslKey(_ name: String) throws {
        try ok(
            "openssl", "genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-out",
            "\(name).key")
        try ok("openssl", "pkey", "-in", "\(name).key", "-pubout", "-out", "\(name).pub")
    }

    /// An image in a repository; its digest.
    func pushedImage(_ name: String) throws -> String {
        try image()
        let text = try ok("volt-registry", "copy", "oci:img:a", "\(host)/\(name)")
        return String(text.prefix { $0 != "\n" })
    }
}

/// Debian 12 builds skopeo without the libraries that it verifies with, and says so in the program.
private let skopeoVerifies = system("grep -qa 'sigstore disabled' /usr/bin/skopeo") != 0

/// cosign's payload, byte by byte.
private func payload(_ name: String, _ digest: String, type: String = "cosign container image signature")
    -> String
{
    #"{"critical":{"identity":{"docker-reference":"\#(name)"},"image":{"docker-manifest-digest":"\#(digest)"},"#
        + #""type":"\#(type)"},"optional":null}"#
}

@Suite(
    .timeLimit(.minutes(5)),
    .enabled(
        if: ["docker-registry", "skopeo", "umoci", "openssl", "curl"].allSatisfy {
            Files.exists("/usr/bin/\($0)")
        },
        "needs the packages docker-registry, skopeo, umoci, openssl and curl"))
struct SignatureTests {
    @Test(
        "skopeo finds no signature, takes an image that was signed here, and refuses it for another key",
        arguments: Kind.allCases)
    func skopeo(kind: Kind) throws {
        let bench = try Bench(kind)
        let digest = try bench.pushedImage("team/web:1")
        try bench.ok("volt-registry", "key", "create", "--output", "team")
        try bench.ok("volt-registry", "key", "create", "--output", "other")
        let name = "\(bench.host)/team/web:1"
        let unsigned = try bench.skopeoCopy("team/web:1", signedBy: "team.pub", to: "x")
        #expect(unsigned.status != 0 && unsigned.stderr.contains("no signature exists"), "\(unsigned.stderr)")
        #expect(try bench.ok("volt-registry", "sign", "--key", "team.key", name) == "\(digest)\n")
        let taken = try bench.skopeoCopy("team/web:1", signedBy: "team.pub", to: "y")
        let refused = try bench.skopeoCopy("team/web:1", signedBy: "other.pub", to: "z")
        #expect(refused.status != 0 && !refused.stderr.contains("no signature exists"), "\(refused.stderr)")
        if skopeoVerifies {
            #expect(taken.status == 0, "\(taken.stderr)")
        } else {
            // It found the signature, and says of it that it was built without what verifies.
            #expect(
                taken.stderr.contains("rejected: Debian-local change: sigstore disabled"), "\(taken.stderr)")
        }
    }

    @Test(
        "skopeo finds what was signed here, and what it writes of it is taken here", arguments: Kind.allCases)
    func carried(kind: Kind) throws {
        let bench = try Bench(kind)
        _ = try bench.pushedImage("team/web:1")
        try bench.ok("volt-registry", "key", "create", "--output", "team")
        try bench.opensslKey("other")
        try bench.ok("volt-registry", "sign", "--key", "team.key", "\(bench.host)/team/web:1")
        try bench.ok(
            "volt-registry", "sign", "--key", "other.key", "-a", "stage=test", "\(bench.host)/team/web:1")
        try bench.skopeoRegistries()
        _ = try bench.skopeo(
            "--insecure-policy", "--registries.d", "\(bench.scratch.path)/registries.d", "copy",
            "--src-tls-verify=false", "--dest-tls-verify=false", "docker://\(bench.host)/team/web:1",
            "docker://\(bench.host)/mirror/web:1")
        // It has written the tag of signatures, and no referrers.
        #expect(try bench.ok("volt-registry", "ls", "\(bench.host)/mirror/web").contains(".sig\n"))
        #expect(!(try bench.ok("volt-registry", "discover", "\(bench.host)/mirror/web:1").contains("cosign")))
        for key in ["team", "other"] {
            let verified = try bench.volt(
                "verify", "--key", "\(key).pub", "--identity", "\(bench.host)/team/web",
                "\(bench.host)/mirror/web:1")
            #expect(verified.status == 0, "\(verified.stderr)")
        }
        let foreign = try bench.volt("verify", "--key", "team.pub", "\(bench.host)/mirror/web:1")
        #expect(
            foreign.status == 0 && foreign.stderr.contains("require a name with --identity"),
            "\(foreign.stderr)")
    }

    @Test("OpenSSL verifies what was signed here, over the bytes that lie in the registry")
    func openssl() throws {
        let bench = try Bench(.docker)
        let digest = try bench.pushedImage("team/web:1")
        try bench.opensslKey("team")
        try bench.ok("volt-registry", "sign", "--key", "team.key", "\(bench.host)/team/web:1")
        let tag = "\(digest.replacing(":", with: "-")).sig"
        let manifest = try bench.ok(
            "skopeo", "inspect", "--raw", "--tls-verify=false", "docker://\(bench.host)/team/web:\(tag)")
        let expected = payload("\(bench.host)/team/web", digest)
        let blob = OCIDigest.of(Array(expected.utf8))
        #expect(
            manifest.contains(#""digest":"\#(blob)""#) && manifest.contains(#""config":{"digest":"#),
            "\(manifest)")
        try bench.ok(
            "curl", "-sSf", "-o", "bytes", "http://\(bench.host)/v2/team/web/blobs/\(blob)")
        #expect(try Files.read("\(bench.scratch.path)/bytes") == Array(expected.utf8))
        // "KEY":"VALUE": the value stands two quotes behind the key.
        let words = manifest.split(separator: "\"")
        let place = try #require(words.firstIndex(of: "dev.cosignproject.cosign/signature"))
        let signature = try #require(Base64.decode(words[place + 2]))
        try Files.replace("\(bench.scratch.path)/signature", with: signature)
        let verified = try bench.ok(
            "openssl", "dgst", "-sha256", "-verify", "team.pub", "-signature", "signature", "bytes")
        #expect(verified == "Verified OK\n")
    }

    @Test(
        "a signature that OpenSSL made is taken, and one for another digest, type, name or key is not",
        arguments: Kind.allCases)
    func fixtures(kind: Kind) throws {
        let bench = try Bench(kind)
        let digest = try bench.pushedImage("team/web:1")
        let name = "\(bench.host)/team/web"
        try bench.opensslKey("team")
        try bench.opensslKey("other")
        func verify(_ words: String...) throws -> ToolRunner.Result {
            try bench.run.run(["volt-registry", "verify", "--key", "team.pub"] + words + ["\(name):1"])
        }
        let none = try verify()
        #expect(none.status == 5 && none.stderr.contains("it has no signature"), "\(none.stderr)")
        let good = payload(name, digest)
        try bench.signByOpenSSL("team.key", payload: good, of: digest, to: "team/web")
        let taken = try verify("-o", "json")
        #expect(
            taken.status == 0 && taken.stdout.contains(digest) && taken.stdout.contains("team.pub"),
            "\(taken.stdout)\(taken.stderr)")
        #expect(try verify("--identity", name).status == 0)
        let foreign = try verify("--identity", "registry.example/team/web")
        #expect(foreign.status == 5 && foreign.stderr.contains("is for '\(name)'"), "\(foreign.stderr)")
        try bench.signByOpenSSL("other.key", payload: good, of: digest, to: "team/web")
        let unknown = try verify()
        #expect(unknown.status == 5 && unknown.stderr.contains("of another key"), "\(unknown.stderr)")
        let another = "sha256:\(String(repeating: "0", count: 64))"
        for (text, reason) in [
            (payload(name, another), "is about '\(another)'"),
            (payload(name, digest, type: "atomic container signature"), "is of type"),
            ("{}", "no text about an image"),
        ] {
            try bench.signByOpenSSL("team.key", payload: text, of: digest, to: "team/web")
            let refused = try verify()
            #expect(refused.status == 5 && refused.stderr.contains(reason), "\(refused.stderr)")
        }
        // The payload's bytes were signed, and others lie there.
        try bench.signByOpenSSL("team.key", payload: good, of: digest, to: "team/web")
        #expect(try verify().status == 0)
        let missing = try bench.volt("verify", "--key", "team.pub", "\(name):none")
        #expect(missing.status == 3)
    }

    @Test(
        "signing again adds nothing, another key adds one, and the referrers say the same",
        arguments: Kind.allCases)
    func again(kind: Kind) throws {
        let bench = try Bench(kind)
        let digest = try bench.pushedImage("team/web:1")
        let name = "\(bench.host)/team/web:1"
        try bench.ok("volt-registry", "key", "create", "--output", "team")
        try bench.opensslKey("other")
        for round in 0..<2 {
            let result = try bench.volt("sign", "-o", "json", "--key", "team.key", name)
            #expect(result.stdout.contains("\"added\" : \(round == 0)"), "\(result.stdout)\(result.stderr)")
        }
        func count(_ text: String, _ word: String) -> Int { text.split(separator: word).count - 1 }
        let type = "application/vnd.dev.cosign.artifact.sig.v1+json"
        #expect(count(try bench.ok("volt-registry", "discover", name), type) == 1)
        try bench.ok("volt-registry", "sign", "--key", "other.key", "-a", "a=b", name)
        #expect(count(try bench.ok("volt-registry", "discover", name), type) == 2)
        let both = try bench.volt("verify", "-o", "json", "--key", "team.pub", "--key", "other.pub", name)
        #expect(
            count(both.stdout, "\"fingerprint\"") == 2 && both.stdout.contains("\"a\" : \"b\""),
            "\(both.stdout)")
        let wanted = try bench.volt("verify", "--key", "team.pub", "-a", "a=b", name)
        #expect(wanted.status == 5 && wanted.stderr.contains("does not say 'a=b'"), "\(wanted.stderr)")
        // Without the tag the referrers are enough, and without the referrers the tag is.
        try bench.ok("volt-registry", "copy", "--referrers", name, "oci:copy:1")
        #expect(try bench.volt("verify", "--key", "team.pub", "--key", "other.pub", "oci:copy:1").status == 0)
        let tag = "\(digest.replacing(":", with: "-")).sig"
        try bench.ok("volt-registry", "copy", name, "\(bench.host)/tagged:1")
        #expect(try bench.volt("verify", "--key", "team.pub", "\(bench.host)/tagged:1").status == 5)
        try bench.ok("volt-registry", "copy", "\(bench.host)/team/web:\(tag)", "\(bench.host)/tagged:\(tag)")
        #expect(try bench.volt("verify", "--key", "team.pub", "\(bench.host)/tagged:1").status == 0)
    }

    @Test(
        "the bundle of cosign 3 is taken, but for where a name is wanted, and an attestation is no signature")
    func bundles() throws {
        let bench = try Bench(.docker)
        let digest = try bench.pushedImage("team/web:1")
        let name = "\(bench.host)/team/web"
        try bench.opensslKey("team")
        let type = "application/vnd.dev.sigstore.bundle.v0.3+json"
        func attach(_ digest: String, _ predicate: String) throws {
            let statement =
                #"{"_type":"https://in-toto.io/Statement/v1","subject":[{"digest":{"sha256":"\#(digest.dropFirst(7))"},"#
                + #""annotations":{"stage":"test"}}],"predicateType":"\#(predicate)","predicate":{}}"#
            let kind = "application/vnd.in-toto+json"
            // The pre-authentication encoding of DSSE.
            try Files.replace(
                "\(bench.scratch.path)/signed",
                with: "DSSEv1 \(kind.utf8.count) \(kind) \(statement.utf8.count) \(statement)".utf8)
            try bench.ok("openssl", "dgst", "-sha256", "-sign", "team.key", "-out", "signature", "signed")
            let signature = Base64.encode(try Files.read("\(bench.scratch.path)/signature"))
            try Files.replace(
                "\(bench.scratch.path)/bundle.json",
                with: #"""
                    {"mediaType":"\#(type)","verificationMaterial":{"publicKey":{"hint":"x"}},"dsseEnvelope":
                    {"payload":"\#(Base64.encode(Array(statement.utf8)))","payloadType":"\#(kind)",
                    "signatures":[{"sig":"\#(signature)"}]}}
                    """#.utf8)
            try bench.ok(
                "volt-registry", "attach", "--artifact-type", type, "\(name):1", "bundle.json:\(type)")
        }
        let sign = "https://sigstore.dev/cosign/sign/v1"
        let another = "sha256:\(String(repeating: "0", count: 64))"
        try attach(digest, "https://slsa.dev/provenance/v1")
        try attach(another, sign)
        let refused = try bench.volt("verify", "--key", "team.pub", "\(name):1")
        #expect(
            refused.status == 5 && refused.stderr.contains("attestation of 'https://slsa.dev/provenance/v1'")
                && refused.stderr.contains("is about '\(another)'"), "\(refused.stderr)")
        try attach(digest, sign)
        let taken = try bench.volt("verify", "--key", "team.pub", "-a", "stage=test", "\(name):1")
        #expect(taken.status == 0 && taken.stdout.contains("stage=test"), "\(taken.stdout)\(taken.stderr)")
        let named = try bench.volt("verify", "--key", "team.pub", "--identity", name, "\(name):1")
        #expect(named.status == 5 && named.stderr.contains("names no repository"), "\(named.stderr)")
        try bench.opensslKey("other")
        #expect(try bench.volt("verify", "--key", "other.pub", "\(name):1").status == 5)
    }

    @Test("broken and foreign signatures hide no good one, and no more than a hundred are looked at")
    func limits() throws {
        let bench = try Bench(.volt)
        let digest = try bench.pushedImage("team/web:1")
        let name = "\(bench.host)/team/web"
        try bench.opensslKey("team")
        func put(_ layers: [String], config: String, tag: String) throws {
            let manifest =
                #"{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json","config":{"mediaType":"#
                + #""application/vnd.oci.image.config.v1+json","size":2,"digest":"\#(config)"},"layers":[\#(layers.joined(separator: ","))]}"#
            try Files.replace("\(bench.scratch.path)/many.json", with: manifest.utf8)
            try bench.ok("volt-registry", "manifest", "push", "\(name):\(tag)", "many.json")
        }
        func layer(_ digest: OCIDigest, _ size: Int, _ signature: String) -> String {
            #"{"mediaType":"application/vnd.dev.cosign.simplesigning.v1+json","size":\#(size),"digest":"\#(digest)","#
                + #""annotations":{"dev.cosignproject.cosign/signature":"\#(signature)"}}"#
        }
        let good = payload(name, digest)
        try Files.replace("\(bench.scratch.path)/payload", with: good.utf8)
        try bench.ok("openssl", "dgst", "-sha256", "-sign", "team.key", "-out", "signature", "payload")
        let signature = Base64.encode(try Files.read("\(bench.scratch.path)/signature"))
        try Files.replace("\(bench.scratch.path)/empty", with: "{}".utf8)
        try Files.replace("\(bench.scratch.path)/huge", with: [UInt8](repeating: 32, count: 100_000))
        for file in ["payload", "empty", "huge"] { try bench.ok("volt-registry", "blob", "push", name, file) }
        let config = OCIDigest.of(Array("{}".utf8)).description
        let blob = OCIDigest.of(Array(good.utf8))
        let huge = OCIDigest.of([UInt8](repeating: 32, count: 100_000))
        let own = layer(blob, good.utf8.count, signature)
        let tag = "\(digest.replacing(":", with: "-")).sig"
        var layers = [layer(huge, 100_000, signature), layer(blob, good.utf8.count, "%%%")]
        try put(layers, config: config, tag: tag)
        let refused = try bench.volt("verify", "--key", "team.pub", "\(name):1")
        #expect(
            refused.status == 5 && refused.stderr.contains("at most 65536 are read")
                && refused.stderr.contains("is not Base64"), "\(refused.stderr)")
        try put(layers + [own], config: config, tag: tag)
        #expect(try bench.volt("verify", "--key", "team.pub", "\(name):1").status == 0)
        for number in 0..<100 {
            layers.append(layer(blob, good.utf8.count, Base64.encode(Array("signature \(number)".utf8))))
        }
        try put(layers + [own], config: config, tag: tag)
        let many = try bench.volt("verify", "--key", "team.pub", "\(name):1")
        #expect(
            many.status == 5 && many.stderr.contains("98 signatures are of other keys")
                && many.stderr.contains("only the first 100"), "\(many.stderr)")
    }

    @Test("several who sign at once lose nothing, and signing again mends the tag")
    func atOnce() throws {
        let bench = try Bench(.volt)
        let digest = try bench.pushedImage("team/web:1")
        let name = "\(bench.host)/team/web:1"
        let keys = (1...4).map { "key\($0)" }
        for key in keys { try bench.ok("volt-registry", "key", "create", "--output", key) }
        let all = keys.map { "volt-registry sign --key \($0).key \(name) &" }.joined(separator: " ")
        try bench.ok("sh", "-c", "\(all) wait")
        for key in keys { try bench.ok("volt-registry", "verify", "--key", "\(key).pub", name) }
        for key in keys { try bench.ok("volt-registry", "sign", "--key", "\(key).key", name) }
        let tag = "\(digest.replacing(":", with: "-")).sig"
        let manifest = try bench.ok(
            "volt-registry", "manifest", "fetch", "\(bench.host)/team/web:\(tag)")
        #expect(manifest.split(separator: "dev.cosignproject.cosign/signature").count == 5, "\(manifest)")
        let shown = try bench.ok("volt-registry", "discover", name)
        #expect(shown.split(separator: "cosign.artifact.sig").count == 5, "\(shown)")
    }

    @Test("an image of a layout is signed for the name that it will have, and takes its signature along")
    func layout() throws {
        let bench = try Bench(.docker)
        try bench.image()
        try bench.ok("volt-registry", "key", "create", "--output", "team")
        let nameless = try bench.volt("sign", "--key", "team.key", "oci:img:a")
        #expect(nameless.status == 64 && nameless.stderr.contains("--identity"), "\(nameless.stderr)")
        let name = "\(bench.host)/team/web"
        for round in 0..<2 {
            let signed = try bench.volt(
                "sign", "-o", "json", "--key", "team.key", "--identity", name, "oci:img:a")
            #expect(signed.stdout.contains("\"added\" : \(round == 0)"), "\(signed.stdout)\(signed.stderr)")
        }
        try bench.ok("volt-registry", "verify", "--key", "team.pub", "oci:img:a")
        try bench.ok("volt-registry", "copy", "--referrers", "oci:img:a", "\(name):1")
        try bench.ok("volt-registry", "verify", "--key", "team.pub", "--identity", name, "\(name):1")
        try bench.ok("volt-registry", "restore", "oci:img", "\(bench.host)/all/web")
        let tags = try bench.ok("volt-registry", "ls", "\(bench.host)/all/web")
        #expect(tags.contains(".sig\n"), "\(tags)")
        try bench.ok("volt-registry", "verify", "--key", "team.pub", "\(bench.host)/all/web:a")
    }

    @Test("podman's way of an index: each image of it can be signed as well")
    func recursive() throws {
        let bench = try Bench(.volt)
        let digest = try bench.pushedImage("team/web:1")
        let name = "\(bench.host)/team/web"
        let size = try bench.ok("volt-registry", "manifest", "fetch", "\(name):1").utf8.count
        let index =
            #"{"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","manifests":[{"mediaType":"#
            + #""application/vnd.oci.image.manifest.v1+json","size":\#(size),"digest":"\#(digest)","#
            + #""platform":{"architecture":"amd64","os":"linux"}}]}"#
        try Files.replace("\(bench.scratch.path)/index.json", with: index.utf8)
        try bench.ok("volt-registry", "manifest", "push", "\(name):2", "index.json")
        try bench.ok("volt-registry", "key", "create", "--output", "team")
        try bench.ok("volt-registry", "sign", "--key", "team.key", "\(name):2")
        #expect(try bench.volt("verify", "--key", "team.pub", "\(name):2").status == 0)
        #expect(try bench.volt("verify", "--key", "team.pub", "\(name):1").status == 5)
        try bench.ok("volt-registry", "sign", "--recursive", "--key", "team.key", "\(name):2")
        #expect(try bench.volt("verify", "--key", "team.pub", "\(name):1").status == 0)
    }

    @Test("keys of other kinds sign, and what cannot be read is said with what to do")
    func keys() throws {
        let bench = try Bench(.volt)
        _ = try bench.pushedImage("team/web:1")
        let name = "\(bench.host)/team/web:1"
        try bench.ok("openssl", "genpkey", "-algorithm", "ed25519", "-out", "ed.key")
        try bench.ok("openssl", "genrsa", "-traditional", "-out", "rsa.key", "2048")
        try bench.ok("openssl", "ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", "sec1.key")
        for key in ["ed", "rsa", "sec1"] {
            try bench.ok("openssl", "pkey", "-in", "\(key).key", "-pubout", "-out", "\(key).pub")
            try bench.ok("volt-registry", "sign", "--key", "\(key).key", name)
            try bench.ok("volt-registry", "verify", "--key", "\(key).pub", name)
        }
        try Files.replace("\(bench.scratch.path)/pass", with: "long words\n".utf8)
        try bench.ok(
            "openssl", "pkcs8", "-topk8", "-v2", "aes-256-cbc", "-passout", "file:pass", "-in", "sec1.key",
            "-out", "locked.key")
        let locked = try bench.volt("sign", "--key", "locked.key", name)
        #expect(
            locked.status == 5 && locked.stderr.contains("encrypted with a passphrase"), "\(locked.stderr)")
        let opened = try bench.volt(
            "sign", "-o", "json", "--key", "locked.key", "--passphrase-file", "pass", name)
        #expect(opened.stdout.contains("\"added\" : false"), "\(opened.stdout)\(opened.stderr)")
        try Files.replace("\(bench.scratch.path)/pass", with: "other words\n".utf8)
        #expect(try bench.volt("sign", "--key", "locked.key", "--passphrase-file", "pass", name).status == 5)
        try Files.replace(
            "\(bench.scratch.path)/cosign.key",
            with:
                "-----BEGIN ENCRYPTED SIGSTORE PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED SIGSTORE PRIVATE KEY-----\n"
                .utf8)
        let own = try bench.volt("sign", "--key", "cosign.key", name)
        #expect(own.status == 5 && own.stderr.contains("form of cosign's own"), "\(own.stderr)")
        try bench.ok("volt-registry", "key", "create", "--output", "team")
        var information = stat()
        #expect(
            stat("\(bench.scratch.path)/team.key", &information) == 0 && information.st_mode & 0o777 == 0o600)
        try bench.ok("openssl", "pkey", "-in", "team.key", "-noout", "-check")
        let twice = try bench.volt("key", "create", "--output", "team")
        #expect(twice.status == 4 && twice.stderr.contains("team.key"))
    }
}
