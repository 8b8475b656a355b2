import Testing

@testable import VoltRegistry

@Suite struct ChallengeTests {
    @Test("challenges are read as RFC 9110 writes them, one or several in a field")
    func good() {
        #expect(
            Challenge.parse("Basic realm=\"x\"") == [Challenge(scheme: "basic", parameters: ["realm": "x"])])
        #expect(
            Challenge.parse("Bearer realm=\"https://a/t\",service=\"s\",scope=\"repository:a:pull,push\"")
                == [
                    Challenge(
                        scheme: "bearer",
                        parameters: [
                            "realm": "https://a/t", "service": "s", "scope": "repository:a:pull,push",
                        ])
                ])
        #expect(Challenge.parse("basic realm=x , BEARER Realm=\"y\"").map(\.scheme) == ["basic", "bearer"])
        #expect(Challenge.parse("Bearer realm=\"a\\\"b\"").first?.parameters["realm"] == "a\"b")
        #expect(Challenge.parse("Bearer realm=\"a\",realm=\"b\"").first?.parameters == ["realm": "a"])
    }

    @Test(
        "what is broken gives nothing of what follows it",
        arguments: [
            "", ",,,", "=", "\"", "realm=\"x\"", "Bearer realm=\"never ends", "Bearer realm=", "\u{0}",
        ])
    func bad(field: String) {
        for challenge in Challenge.parse(field) { #expect(challenge.parameters.isEmpty) }
    }

    @Test("a field that is too long is none")
    func long() {
        #expect(Challenge.parse("Bearer realm=\"\(String(repeating: "x", count: 20_000))\"").isEmpty)
    }
}
