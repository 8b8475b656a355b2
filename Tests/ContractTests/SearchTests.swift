import Glibc
import Testing
import VoltSystem
import VoltTestKit

@Suite struct SearchTests {
    @Test("the four steps of the search come in their order")
    func order() throws {
        let machine = try Machine()
        let outside = ["PATH": "\(machine.root)/one:\(machine.root)/two:/usr/bin:/bin"]
        for directory in ["two", "one", "usr/bin", "usr/libexec/volt", "exec"] {
            try machine.script("\(directory)/volt-x", "echo \(directory)")
            let changes = outside.merging(["VOLT_EXEC_PATH": "\(machine.root)/exec"]) { $1 }
            #expect(try machine.run("x", with: changes).stdout == "\(directory)\n")
        }
        #expect(try machine.run("--exec-path=\(machine.root)/two", "x", with: outside).stdout == "two\n")
        #expect(try machine.run("--exec-path", "\(machine.root)/two", "x", with: outside).stdout == "two\n")
    }

    @Test("the directory of volt takes its turn on PATH when it is there")
    func sibling() throws {
        let machine = try Machine()
        try machine.script("usr/bin/volt-x", "echo sibling")
        try machine.script("one/volt-x", "echo one")
        let on = ["PATH": "\(machine.root)/one:\(machine.root)/usr/bin/:/usr/bin:/bin"]
        #expect(try machine.run("x", with: on).stdout == "one\n")
        #expect(
            try machine.run("x", with: ["PATH": "\(machine.root)/one:/usr/bin:/bin"]).stdout == "sibling\n")
    }

    @Test("the prefix is that of the program, not of the link or the name it was called by")
    func linkedVolt() throws {
        let machine = try Machine()
        try machine.script("usr/libexec/volt/volt-x", "echo real")
        try machine.script("libexec/volt/volt-x", "echo wrong")
        #expect(symlink(machine.volt, "\(machine.root)/two/v") == 0)
        #expect(try machine.bash("v x; exec -a \(machine.root)/bin/volt volt x").stdout == "real\nreal\n")
    }

    @Test(
        "the working directory is never searched", arguments: ["", ".", ":", "./", "../work", "::.", "work:"])
    func workingDirectory(path: String) throws {
        let machine = try Machine()
        try machine.script("work/volt-x", "echo wrong")
        #expect(try machine.run("x", with: ["PATH": path]).status == 127)
        #expect(try machine.run("which", "-a", "x", with: ["PATH": path]).status == 127)
        #expect(try machine.run("--list-cmds=others", with: ["PATH": path]).stdout == "")
    }

    @Test("a relative exec path is refused, an empty one is none")
    func execPath() throws {
        let machine = try Machine()
        try machine.script("work/volt-x", "echo wrong")
        #expect(try machine.run("--exec-path=.", "x").outcome == "64 volt: error: the exec path is '.'")
        #expect(try machine.run("x", with: ["VOLT_EXEC_PATH": "."]).status == 64)
        #expect(try machine.run("x", with: ["VOLT_EXEC_PATH": ""]).status == 127)
    }

    @Test("a directory, a file without permission and a closed directory on PATH are passed over")
    func passedOver() throws {
        let machine = try Machine()
        try Files.makeDirectory("\(machine.root)/usr/bin/volt-x")
        try machine.script("one/volt-x", "echo wrong", mode: 0o644)
        try machine.script("two/volt-x", "echo right")
        #expect(try machine.run("x").stdout == "right\n")
        let path = "\(machine.root)/volt-x:\(machine.root)/absent:\(machine.volt):\(machine.root)/two"
        #expect(try machine.run("x", with: ["PATH": path]).stdout == "right\n")
    }

    @Test(
        "a directory that the user may not look into is passed over",
        .enabled(if: getuid() == 0, "another user is needed: run as root"))
    func closed() throws {
        let machine = try Machine()
        try Files.makeDirectory("\(machine.root)/closed", mode: 0o700)
        try machine.script("closed/volt-x", "echo wrong")
        try machine.script("two/volt-x", "echo right")
        let path = "\(machine.root)/closed:\(machine.root)/two:/usr/bin:/bin"
        let line = "setpriv --reuid 65534 --clear-groups \(machine.volt) x"
        #expect(try machine.bash(line, with: ["PATH": path]).stdout == "right\n")
    }

    @Test("a file that may not be run is named when nothing else was found, a directory is not")
    func notExecutable() throws {
        let machine = try Machine()
        try machine.script("one/volt-x", "echo wrong", mode: 0o644)
        try Files.makeDirectory("\(machine.root)/one/volt-y")
        #expect(
            machine.neutral(try machine.run("x").outcome)
                == "126 volt: error: cannot run '<root>/one/volt-x': no execute permission")
        #expect(try machine.run("y").status == 127)
    }

    @Test("a tool may be a link, and a link to volt itself is refused instead of looped")
    func links() throws {
        let machine = try Machine()
        try machine.tool("echo", "/bin/echo")
        #expect(try machine.run("echo", "a").stdout == "a\n")
        try machine.tool("me", machine.volt)
        let refusal = "126 volt: error: '<root>/one/volt-me' is a link to volt itself, not a tool"
        #expect(machine.neutral(try machine.run("me").outcome) == refusal)
        #expect(link(machine.volt, "\(machine.root)/one/volt-hard") == 0)
        #expect(try machine.run("hard", "help").status == 126)
        #expect(try machine.bash("volt-me help").status == 126)
        #expect(try machine.run("plugins").stdout.contains("it is a link to volt itself"))
    }

    @Test(
        "what is not a name is not looked for",
        arguments: [
            "../one/volt-x", "./volt-x", "/bin/true", "X", "a--b", "-", "a b", "x.sh", "a_b", "",
            "x\u{1b}[31m",
        ])
    func names(name: String) throws {
        let machine = try Machine()
        try machine.script("one/volt-a--b", "echo wrong")
        try machine.script("one/volt-x.sh", "echo wrong")
        let result = try machine.run(name)
        #expect(result.status == 127)
        #expect(
            result.stderr.hasPrefix(
                "volt: error: '\(name.replacing("\u{1b}", with: "?"))' is not a command of volt\n"))
    }

    @Test("names of volt itself are not taken over, and helpers are not listed")
    func reserved() throws {
        let machine = try Machine()
        for name in ["help", "exec", "plugins", "good--helper"] {
            try machine.script("one/volt-\(name)", "echo wrong")
        }
        #expect(try machine.run("help").stdout.hasPrefix("volt "))
        #expect(try machine.run("exec").outcome == "127 volt: error: 'exec' is reserved for a later volt")
        #expect(try machine.run("--list-cmds=others").stdout == "")
    }

    @Test("a tool of Volt that is absent is named with how to install it, and one of a later release is told")
    func absent() throws {
        let machine = try Machine()
        let result = try machine.run("compose", "up")
        #expect(result.status == 127)
        #expect(
            result.stderr
                == "volt: error: 'compose' is not part of this release\nvolt: hint: 'volt help' shows the tools that are\n"
        )
        #expect(
            try machine.run("gitops", "list").stderr
                == "volt: error: 'gitops' is not installed\nvolt: hint: install it with 'make install-gitops'\n"
        )
        #expect(try machine.run("help", "compose").status == 127)
        #expect(try machine.run("which", "compose").status == 127)
    }

    @Test(
        "a typing mistake gets up to three suggestions and runs nothing",
        arguments: [
            ("gitosp", "did you mean 'volt gitops'?"), ("halp", "did you mean 'volt help'?"),
            ("helo", "did you mean 'volt hello' or 'volt help'?"), ("vn", "did you mean 'volt vm'?"),
            ("CONTAINER", "did you mean 'volt container'?"),
            ("frobnicate", "see 'volt help -a' for what there is"),
            ("xy", "see 'volt help -a' for what there is"), ("shrt", "did you mean 'volt short'?"),
        ])
    func typos(word: String, hint: String) throws {
        let machine = try Machine()
        try machine.script("one/volt-hello", "echo wrong")
        try machine.aliases("short = hello\n")
        let result = try machine.run(word)
        #expect(result.status == 127)
        #expect(result.stdout == "")
        #expect(result.stderr == "volt: error: '\(word)' is not a command of volt\nvolt: hint: \(hint)\n")
    }
}
