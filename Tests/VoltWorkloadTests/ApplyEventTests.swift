import FoundationEssentials
import Testing

@testable import VoltWorkload

@Suite struct ApplyEventTests {
    private func result(_ rest: String) throws -> (generation: String?, message: String) {
        let line = #"{"event":"result","status":"deployed"\#(rest)}"#
        guard
            case .result(.deployed, let generation, let message, _) = try JSONDecoder().decode(
                ApplyEvent.self, from: Data(line.utf8))
        else { throw CancellationError() }
        return (generation, message)
    }

    @Test(
        "a generation is a string or a number, and anything else is none",
        arguments: [
            (#","generation":"g7""#, "g7"), (#","generation":7"#, "7"),
            (#","generation":18446744073709551615"#, "18446744073709551615"), (#","generation":-1"#, "-1"),
            (#","generation":1.5"#, "1.5"), (#","generation":null"#, nil), (#","generation":[1]"#, nil),
            ("", nil),
        ] as [(String, String?)])
    func generations(rest: String, expected: String?) throws {
        #expect(try result(rest).generation == expected)
    }

    @Test("a message of more than 4 KiB is cut after a whole character, and one that is left out is empty")
    func messages() throws {
        #expect(try result("").message == "")
        let whole = String(repeating: "x", count: 4096)
        #expect(try result(#","message":"\#(whole)""#).message == whole)
        #expect(try result(#","message":"\#(whole)x""#).message == whole.dropLast(3) + "…")
        for width in 0...3 {
            let text = String(repeating: "x", count: width) + String(repeating: "🏳️‍🌈", count: 600)
            let cut = try result(#","message":"\#(text)""#).message
            #expect(cut.utf8.count <= 4096 && cut.utf8.count > 4096 - 20 && cut.hasSuffix("🏳️‍🌈…"))
        }
    }
}
