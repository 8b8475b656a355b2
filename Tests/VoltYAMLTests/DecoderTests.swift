import Testing
import VoltCore
import VoltYAML

private struct Window: Codable, Equatable {
    enum Mode: String, Codable { case allow, deny }
    var mode: Mode
    var hours: [Int]
    var note: String?
}

private struct Item: Codable, Equatable {
    var name: Name
    var count: Int64 = 1
    var ratio: Double = 0.5
    var isOn = false
    var window: Window?
    var labels: [String: String] = [:]
}

@Suite struct DecoderTests {
    private let defaults = """
        {"count": 60, "ratio": 1.5, "isOn": true, "labels": {}}
        """

    private func decode(_ text: String) throws -> Item {
        try YAML.decode(
            Item.self, from: YAML.parse(Array(text.utf8), file: "a.yaml"),
            defaults: YAML.parse(Array(defaults.utf8), file: "defaults"))
    }

    @Test("what is left out is taken from the defaults, and what is written is taken as it is")
    func values() throws {
        let item = try decode(
            "name: site\nratio: 2\nwindow: {mode: deny, hours: [1, 0x10]}\nlabels: {a: \"1\"}\n")
        #expect(item.count == 60)
        #expect(item.ratio == 2)
        #expect(item.isOn)
        #expect(item.window == Window(mode: .deny, hours: [1, 16], note: nil))
        #expect(item.labels == ["a": "1"])
    }

    @Test(
        "an error names its place, and the nearest key",
        arguments: [
            ("name: site\ncuont: 1\n", "a.yaml:2:1: unknown key 'cuont'", "did you mean 'count'?"),
            (
                "name: site\nwindow:\n  mode: allow\n  hours: [1]\n  ntoe: x\n",
                "a.yaml:5:3: unknown key 'ntoe'",
                "did you mean 'note'?"
            ),
            ("name: site\nwindow:\n  mode: never\n  hours: []\n", "a.yaml:3:9: ", nil),
            ("name: site\nwindow: {mode: allow}\n", "a.yaml:2:9: 'hours' is missing", nil),
            ("name: site\ncount: many\n", "a.yaml:2:8: expected a whole number, found 'many'", nil),
            (
                "name: No_Name\n", "a.yaml:1:7: 'No_Name' is not a name for a object",
                "use 1 to 63 of a-z, 0-9 and '-', with a letter or digit at both ends"
            ),
            ("name: site\nisOn: yes\n", "a.yaml:2:7: expected true or false, found 'yes'", nil),
            ("count: 3\n", "a.yaml:1:1: 'name' is missing", nil),
            ("name: site\nwindow: [1]\n", "a.yaml:2:9: expected a mapping, found a list", nil),
        ] as [(String, String, String?)])
    func errors(text: String, message: String, hint: String?) {
        let error = #expect(throws: VoltError.self) { try decode(text) }
        #expect(error?.message.hasPrefix(message) == true, "\(error?.message ?? "")")
        if let hint { #expect(error?.hint == hint) }
    }

    @Test(
        "a text that is written and read again is the same",
        arguments: [
            "a", "", "true", "null", "1.0", "0x10", "yes", "on", "- a", "a: b", "a #b", "#a", "a\nb\t\"\\",
            "é ü",
            " a", "a ", "*a", "&a", "!a", "%a", "@a", "`a", "{a}", "[a]", "a, b", "2026-01-01", "12:30:00",
            ":", "a:",
            "https://git.example/a.git?b=c", "git@host:team/site.git", "\u{1}\u{85}\u{2028}\u{FEFF}", "~",
            "'a'",
            ".inf", ".nan", "-", "---", "...", "<<", "=", "|", ">",
        ])
    func roundTrip(text: String) throws {
        let node = try YAML.parse(Array(json(["key": text, text: "value"]).utf8), file: "a")
        let written = YAML.text(node)
        let again = try YAML.parse(Array(written.utf8), file: "b")
        #expect(try again.entries().first { $0.key == "key" }?.value.string() == text, "\(written)")
        #expect(try again.entries().contains { $0.key == text }, "\(written)")
    }

    private func json(_ pairs: KeyValuePairs<String, String>) -> String {
        func quoted(_ text: String) -> String {
            "\""
                + text.unicodeScalars.map { scalar in
                    let hex = String(scalar.value, radix: 16)
                    return "\\u" + String(repeating: "0", count: 4 - hex.count) + hex
                }.joined() + "\""
        }
        return "{" + pairs.map { "\(quoted($0.key)): \(quoted($0.value))" }.joined(separator: ", ") + "}"
    }

    @Test("lists and mappings are written as blocks, with the first keys first")
    func blocks() throws {
        let text = """
            {"b": [{"z": 1, "name": "web", "deep": [[1], {"k": []}]}, "two", null], "a": {}, "c": {"d": true}}
            """
        let node = try YAML.parse(Array(text.utf8), file: "a")
        #expect(
            YAML.text(node, order: ["a", "name"]) == """
                a: {}
                b:
                  - name: web
                    z: 1
                    deep:
                      -
                        - 1
                      - k: []
                  - two
                  - null
                c:
                  d: true

                """)
    }
}
