import GitopsSource
import Testing
import VoltCore

@Suite struct TagPatternTests {
    @Test(
        "a range has the versions that npm has in it",
        arguments: [
            ("^1.4", "1.4.0 1.9.3 v1.4.2", "1.3.9 2.0.0 1.5.0-rc.1 2.0.0-rc.1 x1.4.0"),
            ("^0.2.3", "0.2.3 0.2.9", "0.2.2 0.3.0"), ("^0.0.3", "0.0.3", "0.0.4"), ("^0", "0.9.0", "1.0.0"),
            ("~1.4.2", "1.4.2 1.4.9", "1.4.1 1.5.0"), ("~1", "1.0.0 1.9.0", "2.0.0"),
            (">=1.2 <2", "1.2.0 1.99.0", "1.1.9 2.0.0"), (">= 1.2, < 2", "1.2.0", "2.0.0"),
            (">1.4", "1.5.0", "1.4.9"), ("<=1.4", "1.4.9", "1.5.0"),
            (">1.4.2 <=1.4.4", "1.4.3 1.4.4", "1.4.2"),
            ("1.x", "1.0.0 1.7.2", "2.0.0"), ("=1.4", "1.4.7", "1.5.0"),
            ("^1 || ^3.2", "1.1.0 3.2.0", "2.0.0 3.1.9"),
            ("1.2 - 2.4", "1.2.0 2.0.0 2.4.9", "1.1.9 2.5.0"), ("1.2.3 - 2", "1.2.3 2.9.9", "1.2.2 3.0.0"),
            ("~>1.4.2", "1.4.2 1.4.9", "1.5.0"), ("~> 1.4", "1.4.0", "1.5.0"),
            // What npm does not take for a version: numbers that are missing, and zeros before a number.
            (">=1.2", "1.2.0 2026.11.29", "20260101 2026 2026.01.05 01.5.0 1.5 v2 2.0.0-01"),
            (">=2.0.0-rc.1", "2.0.0-rc.1 2.0.0-rc.2 2.0.0 2.1.0", "2.0.0-beta.9 2.1.0-rc.1"),
        ]) func range(_ text: String, inside: String, outside: String) throws
    {
        let pattern = try TagPattern(text)
        for tag in inside.split(separator: " ") { #expect(pattern.matches(String(tag)), "\(tag) in \(text)") }
        for tag in outside.split(separator: " ") {
            #expect(!pattern.matches(String(tag)), "\(tag) not in \(text)")
        }
    }

    @Test(
        "the highest version wins, and a pre-release only when the pattern names one",
        arguments: [
            ("v1.*", "v1.9.0 v1.10.0 v1.10.1-rc.1 v2.0.0", "v1.10.0"),
            ("v1.*-rc*", "v1.0.0-rc.9 v1.0.0-rc.10 v1.0.0", "v1.0.0-rc.10"),
            ("v*", "v1 v1.0.1 vnext", "v1.0.1"),
            ("web/v*", "web/v1.2.0 web/v1.10.0 api/v9.0.0", "web/v1.10.0"),
            ("release-*", "release-2026-11-03 release-2026-9-30 release-x", "release-2026-11-03"),
            ("v2.0.0-rc1", "v2.0.0-rc1 v2.0.0", "v2.0.0-rc1"), ("^1", "v1.2.0 1.2.1 v1.1.9", "1.2.1"),
        ]) func highest(_ text: String, tags: String, wanted: String) throws
    {
        let found = tags.split(separator: " ").map(String.init)
        #expect(try TagPattern(text).highest(of: found) == wanted)
        #expect(try TagPattern(text).highest(of: found.reversed()) == wanted)
    }

    @Test("versions are in the order of semver.org")
    func order() {
        let order = [
            "1.0.0-1", "1.0.0-alpha", "1.0.0-alpha.1", "1.0.0-alpha.beta", "1.0.0-beta", "1.0.0-beta.2",
            "1.0.0-beta.11", "1.0.0-rc.1", "1.0.0", "1.0.1", "1.2.0", "1.10.0", "2",
        ]
        let versions = order.compactMap(SemanticVersion.init)
        #expect(versions.count == order.count)
        for (one, other) in zip(versions, versions.dropFirst()) { #expect(one < other && !(other < one)) }
    }

    @Test(
        "what is no pattern is refused",
        arguments: [
            "", "-v", "a..b", "a b", "^", "^x.y", ">=", "1 ||", "^1.2.3.4", ">=1.2 <", "v[1]", "^01.2",
            "1.2 - ",
            "1 - 2 - 3", "^1 - 2",
        ])
    func refused(_ text: String) {
        #expect(throws: VoltError.self) { try TagPattern(text) }
    }

    @Test("paths are matched by directories, and exclusions come first")
    func paths() throws {
        func matches(_ patterns: [String], _ path: String) throws -> Bool {
            try PathFilter(patterns).matches(Array(path.utf8))
        }
        let table: [(patterns: [String], inside: [String], outside: [String])] = [
            (["web/**"], ["web/a", "web/b/c"], ["web", "webx/a", "api/web/a"]),
            (["web"], ["web", "web/a/b"], ["webx", "a/web"]), (["web/"], ["web/a"], ["x"]),
            (["*.md"], ["a.md"], ["a/b.md", "a.mdx"]), (["**/*.md"], ["a.md", "a/b/c.md"], ["a/md"]),
            (["a/**/z"], ["a/z", "a/b/z", "a/b/c/z"], ["a/bz", "z"]), (["a?c"], ["abc"], ["a/c", "ac"]),
            (["!docs/**"], ["a", "web/docs/a"], ["docs/a"]),
            (["web/**", "!**/*.md"], ["web/a"], ["web/a.md", "api/a"]),
        ]
        for row in table {
            for path in row.inside { #expect(try matches(row.patterns, path), "\(row.patterns) \(path)") }
            for path in row.outside { #expect(try !matches(row.patterns, path), "\(row.patterns) \(path)") }
        }
        for pattern in ["", "!", "/web", "a/../b", "./a", "a//b"] {
            #expect(throws: VoltError.self) { try PathFilter([pattern]) }
        }
        // Takes no time that grows with a power of the stars.
        let stars = String(repeating: "*a", count: 100)
        #expect(try !matches([stars], String(repeating: "a", count: 4000) + "b"))
    }
}
