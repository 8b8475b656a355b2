import Testing
import VoltCore
import VoltSystem
import VoltTestKit

/// What listing verbs print.
@Suite struct ListTests {
    @Test("with -q a listing verb prints names only, and with -o json the same as without")
    func quiet() throws {
        let bench = try Bench()
        try bench.shell(
            "volt-cas init --store store >/dev/null; echo a >a; volt-cas put a --store store >a.digest")
        let digest = try bench.shell("tr -d '\\n' <a.digest")
        for name in ["one", "two/b"] { #expect(try bench.cas("tag", digest, name).status == 0) }
        #expect(try bench.cas("tags", "-q").stdout == "one\ntwo/b\n")
        let json = try bench.cas("tags", "-o", "json").stdout
        #expect(try json.contains("one") && bench.cas("tags", "-q", "-o", "json").stdout == json)
        let table = try bench.cas("tags").stdout
        #expect(table.hasPrefix("TAG    KIND  DIGEST") && table.contains("two/b  blob"), "\(table)")

        let lease = try bench.cas("lease", "take", "one").stdout
        #expect(try bench.cas("lease", "ls", "--quiet").stdout == lease)
        #expect(try bench.cas("lease", "ls").stdout.hasPrefix("ID                KIND  DIGEST"))
    }

    @Test(
        "a name that would turn its line, or drive the terminal by C1, is listed by its bytes and found by them"
    )
    func hostileNames() throws {
        let bench = try Bench()
        try bench.shell(
            """
            volt-cas init --store store >/dev/null; mkdir src
            touch "$(printf 'src/a\\342\\200\\256b')" "$(printf 'src/c\\302\\2332Jd')"
            """)
        #expect(try bench.cas("add-tree", "\(bench.path)/src", "--tag", "t", "-q").status == 0)
        let list = try bench.cas("ls", "t").stdout
        #expect(list.contains(#"a\xe2\x80\xaeb"#) && list.contains(#"c\xc2\x9b2Jd"#), "\(list)")
        #expect(list.unicodeScalars.allSatisfy { PrintableText.isPrintable($0) || $0 == "\n" })
        #expect(try bench.cas("cat", #"t:a\xe2\x80\xaeb"#).status == 0)
    }
}
