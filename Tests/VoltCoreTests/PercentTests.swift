import Testing
import VoltCore

@Suite struct PercentTests {
    @Test("unreserved characters stay, every other byte is escaped in upper case")
    func encode() {
        #expect(Percent.encode("AZaz09-._~") == "AZaz09-._~")
        #expect(Percent.encode("a b/c?d=e&f+%\u{0}\u{7f}") == "a%20b%2Fc%3Fd%3De%26f%2B%25%00%7F")
        #expect(Percent.encode("é€") == "%C3%A9%E2%82%AC")
        #expect(Percent.encode("") == "")
        #expect(Percent.encode("feature/x +y@z", keeping: "/+@") == "feature/x%20+y@z")
    }

    @Test("what was encoded is decoded again, whatever the bytes")
    func roundTrip() {
        let text = String(String.UnicodeScalarView((0...0x2FF).compactMap(Unicode.Scalar.init)))
        #expect(Percent.decode(Percent.encode(text)) == text)
    }

    @Test(
        "an escape is read in both cases, and a broken one is refused",
        arguments: [
            ("a%2fb%2Fc", "a/b/c"), ("plain", "plain"), ("a+b", "a+b"), ("", ""), ("%25", "%"),
            ("%", nil), ("a%2", nil), ("%zz", nil), ("%2g", nil), ("% 2", nil), ("%+2", nil), ("%%30", nil),
            ("%ff", nil), ("%c3%a9", "é"), ("%c3", nil), ("é%20", "é "), ("%00", "\u{0}"),
        ] as [(String, String?)])
    func decode(text: String, expected: String?) { #expect(Percent.decode(text) == expected) }

    @Test("in a form a plus is a space, and bytes need not be UTF-8")
    func form() {
        #expect(Percent.bytes("a+b%2B".utf8, form: true) == Array("a b+".utf8))
        #expect(Percent.bytes("a+b%2B".utf8) == Array("a+b+".utf8))
        #expect(Percent.bytes("%ff%00".utf8, form: true) == [0xff, 0])
        #expect(Percent.bytes("%f".utf8, form: true) == nil)
    }
}
