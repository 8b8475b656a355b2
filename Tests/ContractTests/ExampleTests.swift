import Glibc
import Testing
import VoltSystem
import VoltTestKit

/// The examples of `docs/contract.md`, used as a reader of that page would.
@Suite struct ExampleTests {
    private static let swiftExample =
        "\(Golden.root())/examples/volt-hello-swift/.build/debug/volt-hello-swift"

    @Test("the extension in shell keeps the contract")
    func shell() throws {
        let machine = try Machine()
        try install("volt-hello", [], machine)
        #expect(try machine.run("hello").stdout == "Hello, world!\n")
        #expect(try machine.run("hello", "--shout", "--", "-o").stdout == "HELLO, -O!\n")
        #expect(
            try machine.run("hello", "-o", "json", #"a "b""#).stdout == #"{"greeting": "Hello, a \"b\"!"}"#
                + "\n")
        #expect(try machine.run("hello", "--frob").outcome == "64 volt hello: error: unknown option '--frob'")
        #expect(
            try machine.bash("volt-hello a b").outcome == "64 volt-hello: error: 'b' is one name too many")
        #expect(try machine.run("help", "hello").stdout.contains("Usage: volt hello "))
        #expect(try machine.bash("volt-hello --help").stdout.contains("Usage: volt-hello "))
        try listed("hello", "say hello to someone", machine)
    }

    @Test(
        "the extension on VoltKit keeps the contract",
        .enabled(if: Files.exists(swiftExample), "run: swift build --package-path examples/volt-hello-swift"))
    func swift() throws {
        let machine = try Machine()
        try install("volt-hello-swift", ["BUILD=\(Files.parent(of: Self.swiftExample))"], machine)
        #expect(try machine.run("hello-swift", "say", "ada").stdout == "GREETING\nHello, ada!\n")
        #expect(
            try machine.run("hello-swift", "say", "--json").stdout
                == "{\n  \"greeting\" : \"Hello, world!\"\n}\n")
        #expect(
            try machine.run("hello-swift", "say", "A").outcome
                == "64 volt hello-swift: error: 'A' is not a name for a person")
        #expect(try machine.bash("volt-hello-swift say A").stderr.hasPrefix("volt-hello-swift: error: "))
        #expect(
            try machine.run("--root", "/r", "hello-swift", "places").stdout.contains(
                "state          /r/lib/hello-swift\n"))
        #expect(try machine.run("help", "hello-swift", "say").stdout.contains("hello-swift say"))
        try listed("hello-swift", "say hello to someone, from Swift", machine)
    }

    /// Runs `make install` of an example, for the prefix whose `bin` is the first directory of PATH.
    private func install(_ example: String, _ words: [String], _ machine: borrowing Machine) throws {
        let name = String(example.dropFirst(5))
        let made = try machine.bash(
            "make -s -C '\(Golden.root())/examples/\(example)' install PREFIX=/usr DESTDIR='\(machine.root)' \(words.joined(separator: " "))"
        )
        try #require(made.status == 0, "\(made.stderr)")
        #expect(Files.exists("\(machine.root)/usr/share/volt/commands/\(name).json"))
    }

    private func listed(_ name: String, _ summary: String, _ machine: borrowing Machine) throws {
        let row = try machine.run("plugins").stdout.split(separator: "\n").first { $0.hasPrefix("\(name) ") }
        #expect(row?.hasSuffix("  \(summary)") == true)
        #expect(try machine.run("help", "-a").stdout.contains(summary))
    }
}
