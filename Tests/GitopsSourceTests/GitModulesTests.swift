import Testing
import VoltCore

@testable import GitopsSource

@Suite struct GitModulesTests {
    @Test("the file is read as git-config(1) writes it")
    func syntax() throws {
        let text = """
            # a comment
            [core]
            \turl = ignored
            [submodule "lib"]
            \tpath = third/lib
            \turl = "https://git.example/lib.git" ; why
            [Submodule "with \\"quotes\\""] path = two words
            URL = ../x\\
            y.git
            \tbranch = main
            \tshallow
            [submodule "no url"]
            path = z
            """
        #expect(
            try GitModules(Array(text.utf8)).urls == [
                "third/lib": "https://git.example/lib.git", "two words": "../xy.git",
            ])
        #expect(try GitModules([]).urls.isEmpty)
    }

    @Test(
        "what is none of its lines is named",
        arguments: [
            "[submodule \"x\"\npath = a", "path", "[submodule \"x\"]\n= a", "[submodule \"x\"]\nurl = \"a",
            "\u{0}",
        ])
    func wrong(text: String) {
        // A key alone is a line of the syntax; all others are none.
        if text == "path" {
            #expect(throws: Never.self) { try GitModules(Array(text.utf8)) }
        } else {
            #expect(throws: VoltError.self) { try GitModules(Array(text.utf8)) }
        }
    }

    @Test(
        "a relative URL is seen from the repository",
        arguments: [
            ("../lib.git", "https://git.example/team/site.git", "https://git.example/team/lib.git"),
            (
                "../../other/lib.git", "https://git.example/team/site.git/",
                "https://git.example/other/lib.git"
            ),
            ("./sub.git", "https://git.example/team/site.git", "https://git.example/team/site.git/sub.git"),
            ("../lib.git", "git@git.example:team/site.git", "git@git.example:team/lib.git"),
            ("../lib.git", "git@git.example:site.git", "git@git.example:lib.git"),
            (
                "https://other.example/x.git", "https://git.example/team/site.git",
                "https://other.example/x.git"
            ),
            ("../../../lib.git", "https://git.example/team/site.git", nil),
            ("../../lib.git", "git@git.example:site.git", nil), ("../", "https://git.example/a/b", nil),
        ])
    func relative(url: String, base: String, expected: String?) {
        #expect(GitModules.resolve(url, from: base) == expected)
    }
}
