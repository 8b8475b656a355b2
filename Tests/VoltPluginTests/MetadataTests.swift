import Testing
import VoltPlugin

/// The members that must be there.
private let good = #""contract": 1, "name": "hello", "version": "1.0", "summary": "say hello""#

@Suite struct MetadataTests {
    @Test("metadata in order is read, and unknown fields are ignored")
    func complete() throws {
        let text = """
            {\(good), "kit": "0.1.0", "group": "deploy", "hidden": true, "url": "https://example.org/",
            "minVolt": "0.1", "kinds": ["greeting", "acme-note"], "units": ["acme-agent.service", "acme.timer"],
            "portVariable": "ACME_PORT", "instances": "ps", "future": [{}]}
            """
        let metadata = try ToolMetadata(text.utf8, of: "hello", voltVersion: "0.1.0")
        #expect(metadata.version == "1.0")
        #expect(metadata.summary == "say hello")
        #expect(metadata.kit == "0.1.0")
        #expect(metadata.group == "deploy")
        #expect(metadata.hidden)
        #expect(metadata.kinds == ["greeting", "acme-note"])
        #expect(metadata.units == ["acme-agent.service", "acme.timer"])
        #expect(metadata.portVariable == "ACME_PORT" && metadata.instances == "ps")
        let again = try ToolMetadata(metadata.json.text().utf8, of: "hello", voltVersion: "0.1.0")
        #expect(again == metadata)
        let least = try ToolMetadata("{\(good)}".utf8, of: "hello", voltVersion: "0.1.0")
        #expect(least.units == [] && least.portVariable == nil && least.instances == nil)
        #expect(!least.hidden && least.kinds == [] && least.url == nil)
    }

    @Test(
        "bad metadata is refused with its reason",
        arguments: [
            ("", "the metadata ends too early (at byte 0)"), ("[]", "the metadata is not an object"),
            (#"{"name": "hello"}"#, "'contract' is not an integer"),
            (#"{"contract": 1.0}"#, "'contract' is not an integer"),
            (#"{"contract": "1"}"#, "'contract' is not an integer"),
            (#"{"contract": 2}"#, "contract 2 is not the one this volt speaks (1)"),
            (#"{"contract": 1}"#, "'name' is missing"),
            (#"{"contract": 1, "name": "other"}"#, "'name' is 'other', not 'hello'"),
            (#"{"contract": 1, "name": "hello", "version": 1}"#, "'version' is not a string"),
            (
                #"{"contract": 1, "name": "hello", "version": ""}"#,
                "'version' is not a line of 1 to 256 bytes"
            ),
            (
                #"{"contract": 1, "name": "hello", "version": "1\u001b[2J"}"#,
                "'version' is not a line of 1 to 256 bytes"
            ),
            (#"{"contract": 1, "name": "hello", "version": "1"}"#, "'summary' is missing"),
            (
                #"{"contract": 1, "name": "hello", "version": "1", "summary": "hi."}"#,
                "'summary' ends in a full stop"
            ),
            (
                #"{"contract": 1, "name": "hello", "version": "1", "summary": "a\nb"}"#,
                "'summary' is not a line of 1 to 256 bytes"
            ),
            (
                #"{"contract": 1, "name": "hello", "version": "1", "summary": ""#
                    + String(repeating: "ä", count: 73) + "\"}",
                "'summary' has 73 characters, more than 72"
            ),
            ("{\(good), \"hidden\": 1}", "'hidden' is not true or false"),
            ("{\(good), \"kinds\": \"a\"}", "'kinds' is not a list of names of kinds"),
            ("{\(good), \"kinds\": [\"A\"]}", "'kinds' is not a list of names of kinds"),
            (
                "{\(good), \"units\": \"a.service\"}",
                "'units' is not a list of names of services, sockets and timers"
            ),
            (
                "{\(good), \"units\": [\"../a.service\"]}",
                "'units' is not a list of names of services, sockets and timers"
            ),
            (
                "{\(good), \"units\": [\"a.mount\"]}",
                "'units' is not a list of names of services, sockets and timers"
            ),
            ("{\(good), \"portVariable\": \"A=1\"}", "'portVariable' is not the name of a variable"),
            ("{\(good), \"instances\": \"--all\"}", "'instances' is not a verb"),
            ("{\(good), \"minVolt\": \"new\"}", "'minVolt' is not a version"),
            ("{\(good), \"minVolt\": \"0.2\"}", "it needs volt 0.2, this is 0.1.0"),
            ("{\(good), \"minVolt\": \"1\"}", "it needs volt 1, this is 0.1.0"),
        ])
    func bad(text: String, reason: String) {
        #expect(throws: MetadataFailure(reason)) {
            try ToolMetadata(text.utf8, of: "hello", voltVersion: "0.1.0")
        }
    }

    @Test("a summary of 72 characters is short enough, counted as a reader counts")
    func summary() throws {
        let text =
            #"{"contract": 1, "name": "hello", "version": "1", "summary": ""#
            + String(repeating: "ä", count: 72) + "\"}"
        #expect(try ToolMetadata(text.utf8, of: "hello", voltVersion: "0.1.0").summary.count == 72)
    }
}
