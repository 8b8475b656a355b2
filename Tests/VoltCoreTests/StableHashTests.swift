import Testing
import VoltCore

@Suite struct StableHashTests {
    // Names of files and of units are made of these: a changed one would not find what an earlier version made.
    @Test(
        "a text has the hash of FNV-1a, in every version",
        arguments: [
            ("", "33niihzj4ux45", "ztntfp"),
            ("a", "2o0ongoiv4rrg", "1r9wi7g"),
            ("/var/lib/volt/container", "34qipx9m6qqr7", "16lzyyb"),
            ("/srv/é", "a65k3fme7ypo", "1n21lek"),
        ])
    func values(text: String, long: String, short: String) {
        #expect(StableHash.text(of: text) == long)
        #expect(StableHash.shortText(of: text) == short)
    }
}
