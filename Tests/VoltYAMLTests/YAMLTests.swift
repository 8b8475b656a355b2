import Testing
import VoltCore
import VoltYAML

private func parse(_ text: String) throws -> YAMLNode { try YAML.parse(Array(text.utf8), file: "t.yaml") }

private func message(_ text: String) -> String? {
    do {
        _ = try YAML.parse(Array(text.utf8), file: "t.yaml")
        return nil
    } catch { return error.message }
}

@Suite struct YAMLTests {
    @Test("a document keeps its order and knows where each value stands")
    func marks() throws {
        let root = try parse("a: 1\nb:\n  - x\n  - {c: 'y'}\n")
        let entries = try root.entries()
        #expect(entries.map(\.key) == ["a", "b"])
        #expect(entries[0].value.mark.line == 1 && entries[0].value.mark.column == 4)
        let items = try entries[1].value.items()
        #expect(items[1].mark.line == 4 && items[1].mark.column == 5)
        #expect(try items[1].fields(["c"])["c"]?.string() == "y")
    }

    @Test("scalars follow the core schema of YAML 1.2")
    func scalars() throws {
        let values = try parse("[10, 0x1f, 0o17, -3, 2.5, 1e3, true, 'true', yes, ~, '', '12']").items()
        #expect(try values[0].integer() == 10)
        #expect(try values[1].integer() == 31)
        #expect(try values[2].integer() == 15)
        #expect(try values[3].integer() == -3)
        #expect(try values[4].number() == 2.5)
        #expect(try values[5].number() == 1000)
        #expect(try values[6].boolean())
        #expect(throws: VoltError.self) { try values[7].boolean() }
        #expect(throws: VoltError.self) { try values[8].boolean() }
        #expect(try values[8].string() == "yes")
        #expect(values[9].isNull)
        #expect(throws: VoltError.self) { try values[9].string() }
        #expect(!values[10].isNull)
        #expect(throws: VoltError.self) { try values[11].integer() }
        #expect(try values[0].string() == "10")
    }

    @Test(
        "what is not a number is refused",
        arguments: ["0x", "0x-1", "+", "-", "1_000", ".nan", ".inf", "0b1", "1e999", "1 2"])
    func badNumbers(text: String) throws {
        let node = try parse("[\(text)]").items()[0]
        #expect(throws: VoltError.self) { try node.integer() }
        #expect(throws: VoltError.self) { try node.number() }
    }

    @Test("an unknown key is an error with its place and the nearest known key")
    func unknownKey() throws {
        let root = try parse("image: x\nprots: []\n")
        #expect {
            try root.fields(["image", "ports"])
        } throws: { error in
            let error = error as? VoltError
            return error?.message == "t.yaml:2:1: unknown key 'prots'"
                && error?.hint == "did you mean 'ports'?"
        }
    }

    @Test(
        "mistakes are refused with their place",
        arguments: [
            ("a: 1\na: 2\n", "t.yaml:2:1: key 'a' is already set on line 1"),
            ("a: *x\n", "t.yaml:1:4: '*x' names no value above it"),
            ("a: &x [*x]\n", "t.yaml:1:8: '*x' names no value above it"),
            ("a: 1\n---\nb: 2\n", "t.yaml:2:1: a second document is not allowed here"),
            ("", "t.yaml:1:1: the file is empty"),
            ("# nothing\n", "t.yaml:2:1: the file is empty"),
            ("? [a]\n: b\n", "t.yaml:1:3: a key must be a single value, found a list"),
            ("a: !!binary x\n", "t.yaml:1:4: tag 'tag:yaml.org,2002:binary' is not supported"),
            ("b: &b {x: 1}\na:\n  <<: *b\n", "t.yaml:3:3: merge keys ('<<') are not a part of YAML 1.2"),
        ])
    func mistakes(text: String, expected: String) { #expect(message(text) == expected) }

    @Test(
        "broken syntax is refused with its line",
        arguments: ["a: [1", "a: 'x", "a: b: c", "\tb: 1", "a: @x", "{a", "a:\n- b\n c: 1"])
    func syntax(text: String) {
        let message = message(text)
        #expect(message?.hasPrefix("t.yaml:") == true)
    }

    @Test("an alias gives the value of its anchor")
    func alias() throws {
        let root = try parse("a: &x {k: 1}\nb: *x\n").fields(["a", "b"])
        #expect(try root["b"]?.fields(["k"])["k"]?.integer() == 1)
        #expect(root["b"]?.mark.line == 2)
    }

    @Test("a bomb of aliases is refused before it grows")
    func bomb() {
        var text = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n"
        for level in 1...12 {
            text +=
                "a\(level): &a\(level) ["
                + Array(repeating: "*a\(level - 1)", count: 10).joined(separator: ", ") + "]\n"
        }
        #expect(message(text)?.contains("more than 50000 values") == true)
    }

    @Test("a chain of aliases nests no deeper than brackets may")
    func aliasDepth() {
        func chain(_ links: Int) -> String {
            "- &a0 [1]\n" + (1...links).map { "- &a\($0) [*a\($0 - 1)]\n" }.joined()
        }
        #expect(message(chain(61)) == nil)
        #expect(message(chain(62))?.contains("nested deeper than 64") == true)
        #expect(message(chain(900))?.contains("nested deeper than 64") == true)
    }

    @Test("depth, size, nodes and aliases have limits")
    func limits() {
        #expect(message(String(repeating: "[", count: 100_000))?.contains("nested deeper than 64") == true)
        #expect(message(String(repeating: "- ", count: 1000))?.contains("nested deeper than 64") == true)
        #expect(message("a: " + String(repeating: "x", count: 1 << 20))?.contains("larger than 1M") == true)
        #expect(
            message("[" + String(repeating: "x,", count: 60_000) + "]")?.contains("more than 50000 values")
                == true)
        #expect(
            message("a: &a x\nb: [" + String(repeating: "*a ,", count: 1001) + "]")?.contains(
                "more than 1000 aliases") == true)
    }

    @Test("no bytes crash the reader", arguments: 0..<8)
    func fuzz(seed: Int) throws {
        var generator = SplitMix(state: UInt64(seed) &+ 0x5eed)
        let words = [
            "a", ": ", "- ", "[", "]", "{", "}", "&a ", "*a", "\n", "  ", "'", "\"", "|\n", ">-\n", "!!str ",
            "%YAML", "---\n", "...\n", "\t", "# c\n", "? ", "\u{feff}", "é", "\u{0}", "~",
        ]
        for _ in 0..<1500 {
            var bytes: [UInt8] = []
            for _ in 0..<Int.random(in: 0...40, using: &generator) {
                if Int.random(in: 0..<10, using: &generator) == 0 {
                    bytes.append(UInt8.random(in: 0...255, using: &generator))
                } else {
                    bytes += Array(words.randomElement(using: &generator)?.utf8 ?? "".utf8)
                }
            }
            do { _ = try YAML.parse(bytes, file: "f") } catch {
                #expect(!error.message.isEmpty, "seed \(seed): \(bytes)")
            }
        }
    }
}

/// A small generator that gives the same numbers for the same seed.
struct SplitMix: RandomNumberGenerator {
    var state: UInt64
    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var z = state
        z = (z ^ (z >> 30)) &* 0xbf58_476d_1ce4_e5b9
        z = (z ^ (z >> 27)) &* 0x94d0_49bb_1331_11eb
        return z ^ (z >> 31)
    }
}
