import Testing
import VoltCore

@Suite struct PrintableTextTests {
    private static let hidden: [ClosedRange<UInt32>] = [
        0...31, 127...159, 0x061C...0x061C, 0x200E...0x200F, 0x2028...0x202E, 0x2066...0x2069,
    ]

    @Test("C0, DEL, C1, separators of lines and what turns a text are not printable, and nothing else is")
    func everyScalar() {
        for value in 0...UInt32(0x10FFFF) {
            guard let scalar = Unicode.Scalar(value) else { continue }
            let isHidden = Self.hidden.contains { $0.contains(value) }
            guard PrintableText.isPrintable(scalar) == isHidden else { continue }
            Issue.record("U+\(String(value, radix: 16))")
        }
    }

    @Test("no control of Unicode is printable")
    func controls() {
        for value in 0...UInt32(0x10FFFF) {
            guard let scalar = Unicode.Scalar(value),
                [.control, .lineSeparator, .paragraphSeparator].contains(scalar.properties.generalCategory)
            else { continue }
            #expect(!PrintableText.isPrintable(scalar), "U+\(String(value, radix: 16))")
        }
    }

    @Test(
        "a line has nothing in it that is not printable",
        arguments: [
            ("plain", "plain"), ("é€😀 ", "é€😀 "), ("a\u{1b}[31mb", "a?[31mb"), ("a\u{9b}31mb", "a?31mb"),
            ("a\r\nb\tc", "a??b?c"), ("a\u{7f}b\u{85}c", "a?b?c"), ("\u{0}", "?"), ("", ""),
            ("if \u{202e}(nimda)\u{2066}", "if ?(nimda)?"), ("a\u{200f}b\u{061c}c", "a?b?c"),
            ("a\u{2028}b\u{2029}c", "a?b?c"), ("👩‍👩‍👧 \u{feff}", "👩‍👩‍👧 \u{feff}"),
        ])
    func line(text: String, expected: String) {
        #expect(PrintableText.line(text) == expected)
        #expect(PrintableText.isLine(text) == (text == expected))
        #expect(
            PrintableText.line(text, replacement: "\u{FFFD}") == expected.replacing("?", with: "\u{FFFD}"))
    }

    @Test("bytes that are not UTF-8 are shown as U+FFFD, and C1 in UTF-8 is not let through")
    func bytes() {
        #expect(PrintableText.line([97, 0xff, 98] as [UInt8]) == "a\u{FFFD}b")
        #expect(PrintableText.line([0xc2, 0x9b, 51] as [UInt8]) == "?3")
        #expect(PrintableText.line([0x9b, 51] as [UInt8]) == "\u{FFFD}3")
        #expect(PrintableText.line([0x1b, 0xc3] as [UInt8]) == "?\u{FFFD}")
        #expect(PrintableText.line([UInt8]()) == "")
    }

    @Test("a line is cut between characters")
    func limit() {
        #expect(PrintableText.line("éééé", limit: 2) == "éé")
        #expect(PrintableText.line("a\nb", limit: 2) == "a?")
        #expect(PrintableText.line("ab", limit: 0) == "")
        #expect(PrintableText.line(Array("éé".utf8), limit: 1) == "é")
    }

    @Test("tabs stay in lines of logs, and line feeds in texts of several lines")
    func kept() {
        #expect(PrintableText.logLine("a\tb\nc\u{1b}") == "a\tb?c?")
        #expect(PrintableText.lines("a\tb\nc\r\u{202e}") == "a\tb\nc??")
        #expect(PrintableText.line("a\rb", keeping: ["\r"]) == "a\rb")
    }

    @Test("a field of a log ends neither itself nor its line")
    func field() {
        #expect(PrintableText.field("GET /a\"b\\c\r\n\u{7f}é", limit: 100) == "GET /a?b?c?????")
        #expect(PrintableText.field("abcdef", limit: 3) == "abc")
    }

    @Test("a name that would turn the line it stands in is shown by its bytes, and read again")
    func shownNames() {
        let name = Array("a\u{202e}b".utf8)
        #expect(String(shown: name) == #"a\xe2\x80\xaeb"#)
        #expect(String(shown: name).shownBytes == name)
        #expect(String(shown: Array("\u{2028}".utf8)) == #"\xe2\x80\xa8"#)
    }
}
