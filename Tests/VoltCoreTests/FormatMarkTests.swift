import Testing
import VoltCore

@Suite struct FormatMarkTests {
    private let mark = FormatMark(3, to: "open store '/s'", code: .failed, hint: "upgrade it")

    @Test("a version that is known is read, and a newer one refused with what to do")
    func versions() throws {
        for version in [0, 1, 3] { #expect(try mark.check(version) == version) }
        let error = #expect(throws: VoltError.self) { try mark.check(4) }
        #expect(
            error
                == VoltError(
                    .failed, "cannot open store '/s': format 4 is newer than this tool reads (3)",
                    hint: "upgrade it"))
    }

    @Test(
        "a file has its version in its first line",
        arguments: [
            ("1\n", 1), ("3\n", 3), ("3", 3), ("2 of something\nmore", 2), ("0\n", nil), ("4\n", nil),
            ("", nil),
            ("\n", nil), ("x\n", nil), ("-1\n", nil), ("99999999999999999999\n", nil), ("٣\n", nil),
        ] as [(String, Int?)])
    func files(text: String, version: Int?) throws {
        if let version { return #expect(try mark.check(file: Array(text.utf8)) == version) }
        let error = #expect(throws: VoltError.self) { try mark.check(file: Array(text.utf8)) }
        #expect(error?.message.hasSuffix("is not one this tool reads (3)") == true)
    }

    @Test("what a file has drives no terminal, and what is written is read")
    func shown() throws {
        let error = #expect(throws: VoltError.self) {
            try mark.check(file: Array("\u{1b}[31m\u{202e}9\nrest".utf8))
        }
        #expect(error?.message == "cannot open store '/s': format ?[31m?9 is not one this tool reads (3)")
        #expect(mark.fileContent == Array("3\n".utf8))
        #expect(try mark.check(file: mark.fileContent) == 3)
    }
}
