import Testing
import VoltCore
import VoltOCI

@Suite struct NameTests {
    private static let hex = String(repeating: "ab", count: 32)

    @Test(
        "references are read as people write them",
        arguments: [
            ("web", "docker.io/library/web"), ("team/web", "docker.io/team/web"),
            ("web:1.4", "docker.io/library/web:1.4"), ("docker.io/web", "docker.io/library/web"),
            ("index.docker.io/team/web", "docker.io/team/web"), ("localhost/web", "localhost/web"),
            ("localhost:5000/web", "localhost:5000/web"),
            ("localhost:5000/a/b/c:x", "localhost:5000/a/b/c:x"),
            ("Registry.Example/web", "registry.example/web"),
            ("registry.example:443/web:1", "registry.example:443/web:1"),
            ("[::1]:5000/web", "[::1]:5000/web"), ("127.0.0.1:5000/w", "127.0.0.1:5000/w"),
            ("registry.example/web@sha256:\(hex)", "registry.example/web@sha256:\(hex)"),
            ("registry.example/web:1@sha256:\(hex)", "registry.example/web:1@sha256:\(hex)"),
            ("registry.example/a__b/c-d--e/f.g:_x", "registry.example/a__b/c-d--e/f.g:_x"),
        ])
    func references(text: String, whole: String) throws {
        let reference = try OCIReference(text)
        #expect(reference.description == whole)
        #expect(try OCIReference(reference.description) == reference)
    }

    @Test(
        "what is no reference is refused",
        arguments: [
            "", ":", "@", "/", "Web", "team/Web", "a//b", "/a", "a/", "a:", "a:-x", "a:.x", "a@sha256:short",
            "a@md5:\(hex)", "a b", "a_-b", "a___b", "-a", "a.", "a..b", "registry.example/",
            "registry.example:x/a",
            "registry.example:99999/a", "reg_istry.example/a", "-x.example/a", "[::1/a",
            "a:\(String(repeating: "x", count: 129))",
            "a\u{0}b", "ä/b", "../a", "a/../b", "registry.example/a:b:c",
            String(repeating: "a", count: 256), "a@sha256:\(hex.uppercased())",
        ])
    func noReference(text: String) {
        #expect(throws: VoltError.self) { try OCIReference(text) }
    }

    @Test("what is asked for is the digest, else the tag")
    func asked() throws {
        #expect(try OCIReference("a:1@sha256:\(Self.hex)").manifest == "sha256:\(Self.hex)")
        #expect(try OCIReference("a:1").manifest == "1")
        #expect(try OCIReference("a").manifest == nil)
    }

    @Test("digests are of the two registered algorithms, in lower case and of their length")
    func digests() throws {
        let long = String(repeating: "ab", count: 64)
        #expect(try OCIDigest("sha512:\(long)").algorithm == .sha512)
        #expect(try OCIDigest("sha256:\(Self.hex)").sha256?.hex == Self.hex)
        for text in [
            "", ":", "sha256", "sha256:", "sha256:\(long)", "sha512:\(Self.hex)", "SHA256:\(Self.hex)",
            "sha384:\(Self.hex)",
        ] {
            #expect(OCIDigest(parsing: text) == nil, "\(text)")
        }
        // FIPS 180-4, of "abc".
        #expect(OCIDigest.of(Array("abc".utf8)).hex.hasPrefix("ba7816bf8f01cfea"))
        #expect(OCIDigest.of(Array("abc".utf8), .sha512).hex.hasPrefix("ddaf35a193617aba"))
    }

    @Test("a document is read whatever else is in it, and refused when it is of another form")
    func documents() throws {
        let digest = "sha256:\(Self.hex)"
        let document = try OCIDocument(
            Array(
                """
                {"schemaVersion":2,"config":{"digest":"\(digest)","size":3,"mediaType":"a/b"},"layers":[],"x":[1,{}]}
                """.utf8))
        #expect(document.blobs.count == 1 && document.referrerType == "a/b")
        for text in [
            "", "[]", "3", "{\"schemaVersion\":1}", "{\"layers\":[{}]}",
            "{\"config\":{\"digest\":3,\"size\":1}}",
            "{\"manifests\":[{\"digest\":\"\(digest)\",\"size\":-1}]}",
            "{\"config\":{\"digest\":\"\(digest)\"}}",
            "{\"config\":{\"digest\":\"\(String(repeating: "x", count: 300))\",\"size\":1}}",
            String(repeating: "{\"a\":", count: 50_000),
        ] { #expect(throws: VoltError.self) { try OCIDocument(Array(text.utf8)) } }
    }

    @Test("a document that comes from outside has one meaning only")
    func checked() throws {
        let item = "{\"digest\":\"sha256:\(Self.hex)\",\"size\":3,\"annotations\":{\"A\":\"1\",\"a\":\"2\"}}"
        for text in [
            "{\"config\":\(item),\"layers\":[\(item),\(item)],\"x\":{\"Size\":1,\"size\":\"\\\"{,\"}}",
            "{\"config\":\(item),\"layers\":null,\"manifests\":null}", "{\"manifests\":[\(item)]}",
            "{\"mediaType\":\"\(OCIMediaType.index)\",\"manifests\":[]}",
        ] { _ = try OCIDocument(checking: Array(text.utf8)) }
        for (text, word) in [
            ("{\"layers\":[],\"manifests\":[]}", "both 'layers'"),
            ("{\"config\":\(item),\"manifests\":[]}", "both 'config'"), ("{\"config\":null}", "null"),
            ("{\"layers\":[],\"l\\u0061yers\":[]}", "'layers' twice"),
            ("{\"layers\":[],\"Layers\":[]}", "others read as 'layers'"),
            ("{\"layer\u{17f}\":[]}", "others read as 'layers'"),
            ("{\"layers\":[{\"digest\":\"a\",\"Digest\":\"b\",\"size\":1}]}", "others read as 'digest'"),
            ("{\"layers\":[{\"digest\":\"a\",\"size\":1,\"size\":2}]}", "'size' twice"),
            ("{\"annotations\":{\"a\":\"1\",\"a\":\"2\"}}", "'a' twice"),
            ("{\"mediaType\":\"\(OCIMediaType.index)\",\"layers\":[]}", "has 'layers'"),
            ("{\"mediaType\":\"\(OCIMediaType.manifest)\",\"manifests\":[]}", "has 'manifests'"),
            ("\u{feff}{}", "byte order mark"), ("{\u{0}}", "UTF-16"),
        ] {
            let error = #expect(throws: VoltError.self) { try OCIDocument(checking: Array(text.utf8)) }
            #expect(error?.message.contains(word) == true, "\(text): \(error?.message ?? "")")
        }
        #expect(throws: VoltError.self) {
            try OCIDocument(checking: [0x7b, 0x22, 0xff, 0x22, 0x3a, 0x31, 0x7d])
        }
        #expect(throws: VoltError.self) {
            try OCIDocument(checking: Array("{\"manifests\":[]}".utf8), type: OCIMediaType.manifest)
        }
    }
}
