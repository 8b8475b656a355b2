import Testing
import VoltCore

@Suite struct ValueTests {
    @Test(
        "a name follows the rule of a DNS label",
        arguments: [
            ("web", true), ("a", true), ("web-1", true), ("1web", true), ("", false), ("-web", false),
            ("web-", false),
            ("Web", false), ("we_b", false), ("wéb", false), (String(repeating: "a", count: 63), true),
            (String(repeating: "a", count: 64), false), ("../x", false),
        ])
    func name(text: String, valid: Bool) { #expect(Name.isValid(text) == valid) }

    @Test(
        "sizes are binary",
        arguments: [
            ("1024", 1024), ("512M", 512 << 20), ("2g", 2 << 30), ("64KiB", 64 << 10), ("1MB", 1 << 20),
        ] as [(String, UInt64)])
    func size(text: String, bytes: UInt64) throws { #expect(try ByteSize(text).bytes == bytes) }

    @Test("what is not a size is refused", arguments: ["", "M", "-1", "1.5G", "1X", "99999999999T", "1MM"])
    func badSize(text: String) { #expect(throws: VoltError.self) { try ByteSize(text) } }

    @Test(
        "durations are read and printed",
        arguments: [
            ("30s", "30s"), ("90s", "1m30s"), ("1h30m", "1h30m"), ("250ms", "250ms"), ("60", "1m"),
            ("2d", "2d"),
        ])
    func duration(text: String, shown: String) throws {
        #expect(DurationText.format(try DurationText.parse(text)) == shown)
    }

    @Test(
        "what is not a duration is refused",
        arguments: [
            "", "s", "5x", "-3s", "1h-3m", "99999999999999999999s", "9223372036854775807h", "9223372036855",
            "106752d", "106751d99999d",
        ])
    func badDuration(text: String) { #expect(throws: VoltError.self) { try DurationText.parse(text) } }

    @Test("a moment that is moved or compared beyond its type stays at its end")
    func edges() throws {
        let (first, last) = (Timestamp(milliseconds: .min), Timestamp(milliseconds: .max))
        #expect(last.advanced(by: try DurationText.parse("106751d")) == last)
        #expect(last.since(first) == .milliseconds(Int64.max))
        #expect(first.relative(to: last).hasSuffix("d ago"))
        #expect(Duration.seconds(Int64.max).milliseconds == .max)
        #expect(Int8(100).addingClamped(100) == .max && Int8(-100).addingClamped(-100) == .min)
        #expect(UInt8(1).subtractingClamped(2) == 0 && Int8(-100).subtractingClamped(100) == .min)
        #expect(Int8(-2).multipliedClamped(by: 100) == .min && Int8(-2).multipliedClamped(by: -100) == .max)
    }

    @Test(
        "RFC 3339 is read and printed",
        arguments: [
            ("2025-07-14T15:30:01Z", "2025-07-14T15:30:01.000Z"),
            ("2025-07-14T17:30:01.25+02:00", "2025-07-14T15:30:01.250Z"),
            ("1970-01-01T00:00:00Z", "1970-01-01T00:00:00.000Z"),
            ("1969-12-31T23:59:59.999Z", "1969-12-31T23:59:59.999Z"),
            ("2000-02-29T12:00:00-05:30", "2000-02-29T17:30:00.000Z"),
        ])
    func timestamp(text: String, shown: String) { #expect(Timestamp(rfc3339: text)?.description == shown) }

    @Test(
        "what is not RFC 3339 is refused",
        arguments: ["", "2025-07-14", "2025-13-14T00:00:00Z", "2025-07-14T15:30:01", "2025-07-14T15:30:01.Z"])
    func badTimestamp(text: String) { #expect(Timestamp(rfc3339: text) == nil) }

    @Test("hex is lower case only")
    func hex() {
        #expect(Hex.decode("00ff") == [0, 255])
        #expect(Hex.decode("00FF") == nil)
        #expect(Hex.decode("0") == nil)
        #expect(Hex.encode([0, 255, 16]) == "00ff10")
    }

    @Test(
        "a typing mistake is near, another word is not",
        arguments: [
            ("gitosp", ["gitops"]), ("stauts", ["status"]), ("vm", ["vm"]), ("frobnicate", []),
        ])
    func suggestions(word: String, expected: [String]) {
        #expect(
            EditDistance.suggestions(for: word, among: ["gitops", "status", "vm", "container"]) == expected)
    }

    @Test("the bytes of a name have one text, which no other bytes have")
    func shownBytes() {
        let names: [([UInt8], String)] = [
            (Array("plain name".utf8), "plain name"), (Array("größe".utf8), "größe"), ([], ""),
            ([110, 0xff], #"n\xff"#), (Array("\u{FFFD}".utf8), "\u{FFFD}"),
            (Array(#"a\xff"#.utf8), #"a\x5cxff"#),
            ([27, 91], #"\x1b["#), (Array("\u{9b}31m".utf8), #"\xc2\x9b31m"#), ([10], #"\x0a"#),
            (Array("ü".utf8) + [0x80], #"\xc3\xbc\x80"#),
        ]
        for (bytes, text) in names {
            #expect(String(shown: bytes) == text)
            #expect(text.shownBytes == bytes)
        }
        #expect(#"\xf"#.shownBytes == Array(#"\xf"#.utf8))
        #expect(#"\xfg\"#.shownBytes == Array(#"\xfg\"#.utf8))
    }
}
