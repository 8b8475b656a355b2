import Glibc
import Testing
import VoltSystem
import VoltTestKit

/// Metadata that is in order, with a member more or replaced.
private func metadata(_ name: String, _ members: String = "") -> String {
    #"{"contract": 1, "name": "\#(name)", "version": "1.2", "summary": "say hello", "kinds": ["greeting"]\#(members)}"#
}

@Suite struct ListingTests {
    @Test(
        "help with nothing installed is as recorded",
        arguments: [
            ["help"], ["help", "-a"], ["help", "help"], ["help", "version"], ["help", "plugins"],
            ["help", "which"],
            ["help", "aliases"],
        ])
    func golden(words: [String]) throws {
        let machine = try Machine()
        let result = try machine.bash("volt \(words.joined(separator: " "))")
        #expect(result.status == 0)
        #expect(result.stderr == "")
        let difference = try Golden.difference(
            result.stdout, "Tests/Golden/volt/\(words.joined(separator: "-")).txt")
        #expect(difference == nil)
        if words.count == 2, words[1] != "-a" {
            #expect(try machine.run(words[1], "--help").stdout == result.stdout)
        }
    }

    @Test("volt alone prints the list on stderr and exits with 64, --help prints it on stdout")
    func overview() throws {
        let machine = try Machine()
        let help = try machine.run("help").stdout
        for words in ["volt", "volt --color never", "volt --"] {
            let alone = try machine.bash(words)
            #expect(alone.status == 64)
            #expect(alone.stdout == "")
            #expect(alone.stderr == help)
        }
        #expect(try machine.run("--help").stdout == help)
        #expect(try machine.run("-h").stdout == help)
        #expect(try machine.run("--version").stdout == "volt 0.1.0\n")
    }

    @Test("help of a tool is the tool's own, also of its verbs")
    func toolHelp() throws {
        let machine = try Machine()
        try machine.script("one/volt-x", #"echo "[$*]"; exit 3"#)
        #expect(try machine.run("help", "x").stdout == "[--help]\n")
        #expect(try machine.run("help", "x", "y").stdout == "[y --help]\n")
        #expect(try machine.run("--help", "x").stdout == "[--help]\n")
        #expect(try machine.run("x", "--help").stdout == "[--help]\n")
        #expect(try machine.run("help", "x").status == 3)
        #expect(try machine.run("help", "frobnicate").status == 127)
    }

    @Test("a complete machine is listed as recorded")
    func complete() throws {
        let machine = try Machine()
        try machine.script("usr/bin/volt-container", "echo '{}'")
        try machine.script(
            "one/volt-hello", "echo '\(metadata("hello", #", "group": "deploy", "url": "x""#))'")
        try machine.script("two/volt-hello", "echo wrong")
        try machine.script("one/volt-plain", "exit 64")
        try machine.script(
            "one/volt-secret", "echo '\(metadata("secret", #", "hidden": true, "kit": "0.1.0""#))'")
        try machine.script("two/volt-closed", "echo wrong", mode: 0o644)
        try machine.script("usr/libexec/volt/volt-inner", "echo wrong >&2; sleep 9")
        try machine.file("usr/share/volt/commands/inner.json", metadata("inner"), mode: 0o644)
        try machine.file("share/volt/commands/plain.json", "[", mode: 0o644)
        try machine.aliases("ps = container ps -a\n# comment\nhello = plain\nquoted = hello 'two words' ''\n")
        for words in [
            "help -a", "plugins", "plugins --json", "version --all", "version --all -o json", "aliases",
            "which -a hello", "which -a --json hello",
        ] {
            let result = try machine.bash("volt \(words)")
            #expect(result.status == 0)
            #expect(result.stderr == "")
            let name = words.replacing(" ", with: "-")
            // The width of a column follows the length of the machine's own path.
            let text = machine.neutral(result.stdout).replacing(#/(\S) {2,}/#) { "\($0.1)  " }
            let difference = try Golden.difference(text, "Tests/Golden/volt/complete/\(name).txt")
            #expect(difference == nil)
        }
    }

    @Test("lists for scripts are sorted, one name a line")
    func lists() throws {
        let machine = try Machine()
        for name in ["zebra", "hello", "cas"] { try machine.script("two/volt-\(name)", "exit 0") }
        try machine.script("one/volt-closed", "exit 0", mode: 0o644)
        try machine.aliases("ps = container ps\nzebra = help\n")
        func list(_ kinds: String) throws -> String {
            try machine.run("--list-cmds=\(kinds)").stdout.replacing("\n", with: " ")
        }
        #expect(try list("others") == "hello zebra ")
        #expect(try list("alias") == "ps ")
        #expect(try list("installed") == "aliases cas help plugins version which ")
        #expect(
            try list("main")
                == "aliases cas compose container gitops help ingress landlock mesh plugins registry service "
                + "version vm which ")
        #expect(try list("alias,others") == "hello ps zebra ")
    }

    @Test("which prints the path alone, or says why there is none")
    func which() throws {
        let machine = try Machine()
        try machine.script("one/volt-x", "exit 0")
        try machine.script("one/volt-y", "exit 0", mode: 0o600)
        try machine.aliases("z = x\n")
        #expect(try machine.run("which", "x").stdout == "\(machine.root)/one/volt-x\n")
        #expect(try machine.run("which", "help").stdout == "\(machine.volt)\n")
        #expect(try machine.run("which", "y").status == 126)
        #expect(
            try machine.run("which", "-a", "y").stdout
                == "\(machine.root)/one/volt-y  path  no execute permission\n")
        #expect(try machine.run("which", "z").outcome == "127 volt: 'z' is an alias for 'volt x'")
        #expect(try machine.run("which", "w").status == 127)
    }

    @Test("extensions are asked at once, within limits, in a safe place")
    func limits() throws {
        let machine = try Machine()
        try machine.script("one/volt-slow", "sleep 30")
        try machine.script("one/volt-busy", "sleep 30 & sleep 30")
        try machine.script("one/volt-loud", "exec cat /dev/zero")
        try machine.script("one/volt-early", "exec >&-; sleep 30")
        try machine.script("one/volt-dead", "kill -9 $$")
        try machine.script(
            "one/volt-place",
            #"read line && exit 9; [ "$(pwd) $*" = "/ --volt-metadata" ] || exit 8; echo '\#(metadata("place"))'"#
        )
        let clock = ContinuousClock()
        let start = clock.now
        let lines = try machine.run("plugins").stdout.split(separator: "\n").map { line in
            line.prefix { $0 != " " } + " " + (line.split(separator: "  ").last?.drop { $0 == " " } ?? "")
        }
        // One after the other they would take 6 s at least.
        #expect(clock.now - start < .milliseconds(5900))
        #expect(
            lines.dropFirst() == [
                "busy ('--volt-metadata' takes longer than 2 s)",
                "dead ('--volt-metadata' ended by signal 9)",
                "early ('--volt-metadata' takes longer than 2 s)",
                "loud ('--volt-metadata' prints more than 64 KiB)", "place say hello",
                "slow ('--volt-metadata' takes longer than 2 s)",
            ])
    }

    @Test("nothing but the two listings runs an extension that was not asked for")
    func quiet() throws {
        let machine = try Machine()
        try machine.script("one/volt-x", "echo ran >>\(machine.root)/ran")
        for words in ["help", "which -a x", "--list-cmds=main,others,alias", "aliases", "version", "xx", ""] {
            _ = try machine.bash("volt \(words)")
        }
        #expect(!Files.exists("\(machine.root)/ran"))
    }
}

@Suite struct AliasTests {
    @Test("an alias runs its words and what follows, and an alias may lead to another")
    func expansion() throws {
        let machine = try Machine()
        try machine.script("one/volt-x", #"for a; do echo "[$a]"; done"#)
        try machine.aliases("a = x one 'two words'\nb=a \"\"\nh = help x\n")
        #expect(try machine.run("a", "three").stdout == "[one]\n[two words]\n[three]\n")
        #expect(try machine.run("b", "-q").stdout == "[one]\n[two words]\n[]\n[-q]\n")
        #expect(try machine.run("h").stdout == "[--help]\n")
        #expect(try machine.bash("volt a $'\\377' | tail -n 1 | od -An -tx1").stdout == " 5b ff 5d 0a\n")
        #expect(try machine.run("help", "a").stdout == "'a' is an alias for 'volt x one 'two words''\n")
    }

    @Test("an alias hides no command, built in, installed or absent")
    func shadowing() throws {
        let machine = try Machine()
        try machine.script("one/volt-x", "echo tool")
        try machine.aliases("x = help\nversion = x\ncompose = x\n")
        #expect(try machine.run("x").stdout == "tool\n")
        #expect(try machine.run("version").stdout == "volt 0.1.0\n")
        #expect(try machine.run("compose").status == 127)
    }

    @Test("a loop is shown as a chain")
    func loop() throws {
        let machine = try Machine()
        try machine.aliases("a = b 1\nb = c\nc = a\nself = self\n")
        #expect(try machine.run("a").outcome == "64 volt: error: the alias 'a' never ends: a -> b -> c -> a")
        #expect(
            try machine.run("self").outcome == "64 volt: error: the alias 'self' never ends: self -> self")
    }

    @Test(
        "a mistake in the file is shown with its line, when an alias is needed",
        arguments: [
            ("a x", "aliases:1: there is no '='"), ("\nA = x", "aliases:2: 'A' is not a name for an alias"),
            ("a = 'x", "aliases:1: a quote is not closed"),
            ("a =", "aliases:1: 'a' does not begin with a command"),
            ("a = !sh", "aliases:1: 'a' does not begin with a command"),
            ("a = x\na = y", "aliases:2: 'a' is defined twice"),
        ])
    func mistakes(text: String, message: String) throws {
        let machine = try Machine()
        try machine.script("one/volt-x", "echo ran")
        try machine.aliases(text)
        #expect(machine.neutral(try machine.run("a").outcome) == "64 volt: error: <root>/root/etc/\(message)")
        #expect(try machine.run("x").stdout == "ran\n")
    }

    @Test("an alias to nothing says so")
    func dangling() throws {
        let machine = try Machine()
        try machine.aliases("a = nothing\n")
        #expect(
            try machine.run("a").outcome
                == "127 volt: error: the alias 'a' leads to 'nothing', which is not a command")
    }

    @Test(
        "the file is a user's own: below VOLT_ROOT, XDG_CONFIG_HOME or HOME, /etc/volt for root",
        .enabled(if: getuid() == 0, "another user is needed: run as root"))
    func places() throws {
        let machine = try Machine()
        try machine.script("one/volt-x", #"echo "$1""#)
        try machine.file("home/.config/volt/aliases", "a = x home\n", mode: 0o644)
        try machine.file("xdg/volt/aliases", "a = x xdg\n", mode: 0o644)
        let user = "unset VOLT_ROOT; setpriv --reuid 65534 --clear-groups"
        #expect(try machine.bash("\(user) volt a").stdout == "home\n")
        #expect(
            try machine.bash("export XDG_CONFIG_HOME=\(machine.root)/xdg; \(user) volt a").stdout == "xdg\n")
        #expect(
            try machine.bash("unset VOLT_ROOT; volt aliases 2>&1 >/dev/null").stdout.contains(
                "/etc/volt/aliases") || Files.exists("/etc/volt/aliases"))
    }
}
