import Testing
import VoltArchive
import VoltCore

@testable import ContainerEngine

private func parse(_ text: String) throws -> Voltfile { try Voltfile(bytes: Array(text.utf8)) }

@Suite struct VoltfileTests {
    @Test(
        "what is not supported or not right is refused with its line",
        arguments: [
            ("FROM a\n\n# note\nRUN x\nHEALTHCHECK CMD y\n", "5: 'HEALTHCHECK' is not supported"),
            ("FROM a\nVOLUME /x\n", "2: 'VOLUME' is not supported"),
            ("FROM a\nONBUILD RUN x\n", "2: 'ONBUILD' is not supported"),
            ("FROM a\nSHELL [\"x\"]\n", "2: 'SHELL' is not supported"),
            ("FROM a\nSTOPSIGNAL TERM\n", "2: 'STOPSIGNAL' is not supported"),
            ("FROM a\nCOYP . /\n", "2: 'COYP' is not supported"),
            ("", "1: there is no FROM"),
            ("# only a comment\n", "1: there is no FROM"),
            ("ARG X=1\n", "1: there is no FROM"),
            ("RUN x\nFROM a\n", "1: RUN comes before FROM"),
            ("FROM\n", "1: FROM needs an argument"),
            ("FROM a b\n", "1: FROM takes an image"),
            ("FROM --platform=linux/arm64 a\n", "1: 'FROM --platform=linux/arm64' is not supported"),
            ("FROM a AS x\nFROM b\n", "2: a second FROM: more than one stage is not supported"),
            ("FROM a\nCOPY x\n", "2: COPY needs a source and a destination"),
            ("FROM a\nCOPY --from=x /a /b\n", "2: 'COPY --from' is not supported"),
            ("FROM a\nCOPY --chmod=u+x a /b\n", "2: 'u+x' is not an octal mode"),
            ("FROM a\nCOPY <<EOF /x\n", "2: here-documents are not supported"),
            ("FROM a\nRUN <<EOF\n", "2: here-documents are not supported"),
            ("FROM a\nRUN cat <<-'EOF'\n", "2: here-documents are not supported"),
            (
                "FROM a\nRUN --mount=type=cache,target=/x y\n",
                "2: 'RUN --mount=type=cache,target=/x' is not supported"
            ),
            ("FROM a\nADD https://x.example/y /\n", "2: ADD of a URL is not supported"),
            ("FROM a\nADD git@x.example:y /\n", "2: ADD of a URL is not supported"),
            ("FROM a\nENV A\n", "2: 'A' has no value"),
            ("FROM a\nENV A=1 B\n", "2: 'B' is not name=value"),
            ("FROM a\nENV A=\"x\n", "2: a quotation mark is not closed"),
            ("FROM a\nLABEL =x\n", "2: '=x' is not name=value"),
            ("FROM a\nARG A-B=1\n", "2: 'A-B' is not the name of an argument"),
            ("FROM a\nUSER a b\n", "2: USER takes one user"),
            ("FROM a\nCMD []\n", "2: the command is empty"),
            ("FROM a\nRUN x \\\n  y \\\n\n  z\nEXPOSE\n", "6: EXPOSE needs an argument"),
            ("FROM a\nCOPY [\"a\", 1] /b\n", "2: '[\"a\", 1] /b' is not a JSON list of texts"),
        ])
    func errors(text: String, expected: String) {
        #expect {
            try parse(text)
        } throws: { ($0 as? VoltError)?.message == "Voltfile parse error: Voltfile:\(expected)" }
    }

    @Test("a file that is not text is refused")
    func binary() {
        #expect(throws: VoltError.self) { try Voltfile(bytes: [0x46, 0xff, 0xfe]) }
        #expect(throws: VoltError.self) { try Voltfile(bytes: Array("FROM a\u{0}\n".utf8)) }
    }

    @Test("lines are continued, comments and empty lines between them are skipped")
    func continuation() throws {
        let file = try parse(
            "FROM a\r\nRUN one \\\r\n  # a comment\r\n\r\n  two && \\\r\n\tthree\r\nCMD [\"x\", \"y z\"]\r\n")
        #expect(file.steps.map(\.line) == [1, 2, 7])
        #expect(file.steps[1].text == "RUN one two && three")
        #expect(file.steps[2].action == .command(.words(["x", "y z"])))
    }

    @Test("the escape character can be another one")
    func escape() throws {
        let file = try parse("# escape=`\nFROM a\nRUN dir C:\\ `\n  /b\n")
        #expect(file.steps[1].text == "RUN dir C:\\ /b")
        #expect(file.escape == "`")
    }

    @Test("brackets that are no JSON are a command for the shell")
    func shellBrackets() throws {
        let file = try parse("FROM a\nRUN [ -f /x ] && y\n")
        #expect(file.steps[1].action == .run(.shell("[ -f /x ] && y")))
    }

    @Test(
        "variables are filled in as Docker does",
        arguments: [
            ("$A", "1"), ("${A}x", "1x"), ("$Ax", ""), ("$B", ""), ("${B:-d}", "d"), ("${A:-d}", "1"),
            ("${E:-d}", "d"),
            ("${E-d}", ""), ("${A:+o}", "o"), ("${B:+o}", ""), ("${B:-${A}y}", "1y"), ("\\$A", "$A"),
            ("'$A'", "$A"),
            ("\"$A b\"", "1 b"), ("\"a\\\"b\"", "a\"b"), ("\"a\\nb\"", "a\\nb"), ("a\\ b", "a b"), ("$", "$"),
            ("$1", "$1"),
            ("${B:-\"x}y\"}", "x}y"), ("é$A", "é1"),
        ])
    func expansion(text: String, expected: String) {
        let values = ["A": "1", "E": ""]
        #expect(Words.expand(text, escape: "\\") { values[$0] } == expected)
    }

    @Test(
        "variables in forms that are not known are refused",
        arguments: ["${A", "${}", "${A:?x}", "${A:x}", "${A//b/c}"])
    func badExpansion(text: String) { #expect(Words.expand(text, escape: "\\") { _ in "x" } == nil) }

    @Test(
        "patterns match names as in a .dockerignore",
        arguments: [
            ("*.o", "a.o", true), ("*.o", "d/a.o", false), ("**/*.o", "d/e/a.o", true),
            ("**/*.o", "a.o", true),
            ("d", "d/e/f", true), ("d/*", "d/e/f", true), ("d/**", "d/e", true), ("/d", "d", true),
            ("d/", "d/x", true),
            ("?.txt", "a.txt", true), ("?.txt", "ab.txt", false), ("[a-c].txt", "b.txt", true),
            ("[^a-c].txt", "b.txt", false),
            ("a\\*b", "a*b", true), ("a\\*b", "axb", false), ("./x/../d", "d", true),
            ("**", "any/thing", true),
            ("a*b*c", "aXbYbZc", true), ("a*b*c", "aXbYbZ", false), ("[", "[", true),
        ])
    func ignore(pattern: String, path: String, excluded: Bool) throws {
        #expect(IgnoreRules(text: pattern).excludes(try TreePath(inRoot: path)) == excluded)
    }

    @Test("the last rule that matches decides")
    func exceptions() throws {
        let rules = IgnoreRules(text: "# all\n*\n!keep\nkeep/secret\n")
        #expect(rules.excludes(try TreePath(inRoot: "other")))
        #expect(!rules.excludes(try TreePath(inRoot: "keep/file")))
        #expect(rules.excludes(try TreePath(inRoot: "keep/secret")))
    }

    @Test("no text crashes the parser", arguments: 0..<4)
    func fuzz(seed: Int) {
        var state = UInt64(seed) &+ 11
        func next(_ bound: Int) -> Int {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return Int(state >> 33) % bound
        }
        let words = [
            "FROM a\n", "RUN ", "COPY ", "ENV ", "--chmod=", "\\\n", "\n", "\"", "'", "[", "]", "${", "}",
            "<<E", "#", "escape=`", "x", " ", "=", "\r\n", "é", "`",
        ]
        for _ in 0..<2000 {
            let text = (0..<next(20)).map { _ in words[next(words.count)] }.joined()
            _ = try? parse(text)
            _ = Words.expand(text, escape: "\\") { _ in nil }
        }
    }
}
