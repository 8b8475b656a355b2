import Testing
import VoltPlugin

@Suite struct JSONTests {
    @Test(
        "what RFC 8259 allows is read",
        arguments: [
            ("null", .null), (" true ", .bool(true)), ("false", .bool(false)), ("0", .number("0")),
            ("-12.5e+3", .number("-12.5e+3")), (#""""#, .string("")),
            (#""a\"\\\/\b\f\n\r\t""#, .string("a\"\\/\u{8}\u{c}\n\r\t")),
            (#""\u00e4\ud83d\ude00ü""#, .string("ä😀ü")), ("[]", .array([])),
            ("[1, [2]]", .array([.number("1"), .array([.number("2")])])),
            ("{}", .object([:])),
            ("{\"a\" : {\"b\":[null]} }", .object(["a": .object(["b": .array([.null])])])),
        ] as [(String, JSONValue)])
    func valid(text: String, value: JSONValue) throws { #expect(try JSONValue(text.utf8) == value) }

    @Test(
        "what it does not allow is refused",
        arguments: [
            "", " ", "nul", "True", "+1", "01", "1.", ".5", "1e", "-", "0x1", "NaN", "'a'", "\"a", "\"\\x\"",
            "\"\\u12g4\"",
            "\"\\ud800\"", "\"\\ud800\\u0041\"", "\"\\udc00\"", "\"\\u+123\"", "\"a\nb\"", "[1,]", "[1 2]",
            "[", "]", "{\"a\"}", "{\"a\":}",
            "{\"a\":1,}", "{a:1}", "{\"a\":1 \"b\":2}", "{\"a\":1,\"a\":2}", "1 2", "{} x", "\u{feff}{}",
            "// x\n1",
        ])
    func invalid(text: String) { #expect(throws: JSONFailure.self) { try JSONValue(text.utf8) } }

    @Test(
        "bytes that are not UTF-8 are refused",
        arguments: [[0xff], [0xc0, 0x80], [0xed, 0xa0, 0x80]] as [[UInt8]])
    func encoding(bytes: [UInt8]) {
        #expect(throws: JSONFailure.self) { try JSONValue([0x22] + bytes + [0x22]) }
    }

    @Test("depth and size have limits")
    func limits() throws {
        let nested = { (depth: Int) in
            Array(repeating: "[", count: depth) + Array(repeating: "]", count: depth)
        }
        _ = try JSONValue(nested(JSONValue.maximumDepth).joined().utf8)
        #expect(throws: JSONFailure.self) { try JSONValue(nested(JSONValue.maximumDepth + 1).joined().utf8) }
        #expect(throws: JSONFailure.self) { try JSONValue(String(repeating: "[", count: 60_000).utf8) }
        #expect(throws: JSONFailure.self) {
            try JSONValue(String(repeating: " ", count: 65_536).utf8 + [0x31])
        }
    }

    @Test(
        "no prefix, suffix or changed byte of a text stops the reader, and what is read is written the same")
    func random() throws {
        let text = Array(#"{"a":[1,-2.5e3,"x\u00e4\n",{"b":null,"c":true}],"d":""}"#.utf8)
        let seed = UInt64.random(in: 0...UInt64.max)
        var generator = Generator(state: seed)
        for _ in 0..<5000 {
            var bytes = text
            for _ in 0..<Int.random(in: 1...3, using: &generator) {
                switch Int.random(in: 0...2, using: &generator) {
                case 0:
                    bytes[Int.random(in: bytes.indices, using: &generator)] = UInt8.random(
                        in: 0...255, using: &generator)
                case 1: bytes.removeLast(Int.random(in: 0..<bytes.count, using: &generator))
                default:
                    bytes.insert(
                        bytes.randomElement(using: &generator) ?? 0,
                        at: Int.random(in: bytes.indices, using: &generator))
                }
            }
            guard let value = try? JSONValue(bytes) else { continue }
            #expect(try JSONValue(value.text().utf8) == value, "seed \(seed)")
        }
    }
}

/// Xorshift, so that a failure can be repeated from its seed.
private struct Generator: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        state ^= state << 13
        state ^= state >> 7
        state ^= state << 17
        return state &+ 0x9e37_79b9_7f4a_7c15
    }
}
