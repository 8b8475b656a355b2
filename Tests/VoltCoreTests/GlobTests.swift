import Testing
import VoltCore

@Suite struct GlobTests {
    @Test(
        "a pattern stands for whole names",
        arguments: [
            ("*", "", true), ("*", "a.b", true), ("a*c", "abbc", true), ("a*c", "abcd", false),
            ("*a*b", "xaxb", true), ("*a*b", "xbxa", false), ("a", "A", false),
            ("", "", true), ("", "a", false),
            ("?", "a", true), ("?", "", false), ("a?c", "abc", true), ("?", "é", false),
            ("??", "é", true),
            ("[a-c]x", "bx", true), ("[a-c]x", "dx", false), ("[^a-c]", "d", true), ("[!a-c]", "b", false),
            ("[-a]", "-", true), ("[a-]", "-", true), ("[", "[", true), ("[]", "[]", true),
            ("[a", "[a", true),
            (#"\*"#, "*", true), (#"\*"#, "a", false), (#"a\"#, #"a\"#, true), (#"\[a]"#, "[a]", true),
            ("**", "abc", true), ("*[0-9]", "v1", true), ("*[0-9]", "v1x", false),
        ])
    func names(pattern: String, name: String, fits: Bool) {
        #expect(Glob.matches(Array(pattern.utf8), Array(name.utf8)) == fits)
    }

    @Test("a sign that is not among those of the caller stands for itself")
    func signs() {
        func fits(_ pattern: String, _ name: String, _ signs: Glob.Signs) -> Bool {
            Glob.matches(Array(pattern.utf8), Array(name.utf8), signs: signs)
        }
        #expect(!fits("a?", "ab", []) && fits("a?", "a?", []) && fits("a?", "ab", .one))
        #expect(!fits("[ab]", "a", .one) && fits("[ab]", "[ab]", .one))
        #expect(!fits(#"\*"#, "*", .one) && fits(#"\*"#, #"\x"#, .one))
        #expect(fits("a*", "a?", []))
        #expect(Glob.isPattern("a*".utf8) && Glob.isPattern("[".utf8) && !Glob.isPattern(#"a\"#.utf8))
    }

    @Test(
        "two stars stand for any number of names of a path",
        arguments: [
            ("**", "", true), ("**", "a/b", true), ("a/**", "a", true), ("a/**", "a/b/c", true),
            ("a/**", "b", false), ("**/c", "c", true), ("**/c", "a/b/c", true), ("**/c", "a/b", false),
            ("a/**/c", "a/c", true), ("a/**/c", "a/x/y/c", true), ("a/*/c", "a/x/y/c", false),
            ("*", "a/b", false), ("a/*", "a/b", true), ("**/x/**", "a/x/b", true), ("**/**", "", true),
            ("a**", "ab", true), ("a**", "a/b", false),
        ])
    func paths(pattern: String, path: String, fits: Bool) {
        func parts(_ text: String) -> [[UInt8]] { text.utf8.split(separator: 47).map(Array.init) }
        #expect(Glob.matches(parts(pattern), path: parts(path)) == fits)
    }

    @Test("a pattern made to be slow is not", .timeLimit(.minutes(1)))
    func slow() {
        let name = [UInt8](repeating: 97, count: 4000)
        let pattern = Array(String(repeating: "*a", count: 500).utf8) + [98]
        #expect(!Glob.matches(pattern, name))
        let path = [[UInt8]](repeating: [97], count: 1000)
        let stars = [[UInt8]](repeating: Array("**".utf8), count: 300) + [[98]]
        #expect(!Glob.matches(stars, path: path))
    }
}
