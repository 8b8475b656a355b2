import Glibc
import Testing
import VoltSystem
import VoltTestKit

/// Prints each argument as hex digits, one a line.
private let showArguments = #"for a; do printf %s "$a" | od -An -v -tx1 | tr -d ' \n'; echo; done"#

@Suite struct ExecTests {
    @Test("argv[0] is the path that was found")
    func ownName() throws {
        let machine = try Machine()
        try machine.script("one/volt-x", "echo $0")
        #expect(try machine.run("x").stdout == "\(machine.root)/one/volt-x\n")
    }

    @Test(
        "words arrive byte for byte",
        arguments: [
            (#"x "$(printf 'a\377\376b')""#, "61fffe62\n"), ("x '' a ''", "\n61\n\n"),
            ("x -- --help", "2d2d\n2d2d68656c70\n"), ("x --version -C /", "2d2d76657273696f6e\n2d43\n2f\n"),
            (#"x $'tab\tline\nquote"'"#, "746162096c696e650a71756f746522\n"), ("-- x ü", "c3bc\n"),
        ])
    func bytes(line: String, hex: String) throws {
        let machine = try Machine()
        try machine.script("one/volt-x", showArguments)
        #expect(try machine.bash("volt \(line)").stdout == hex)
    }

    @Test("long and many words arrive")
    func long() throws {
        let machine = try Machine()
        try machine.script("one/volt-x", #"echo $# ${#1} ${#2}"#)
        let line = #"volt x "$(head -c 120000 /dev/zero | tr '\0' a)" "" $(seq 20000)"#
        #expect(try machine.bash(line).stdout == "20002 120000 0\n")
    }

    @Test("three variables are set over what was inherited, the others stay as they are")
    func environment() throws {
        let machine = try Machine()
        try machine.tool("env", "/usr/bin/env")
        let inherited = [
            "VOLT_EXE": "/wrong", "VOLT_VERSION": "9", "VOLT_CONTRACT": "9", "VOLT_EXEC_PATH": "",
            "A": "a b=c",
        ]
        let lines = try machine.run("env", with: inherited).stdout.split(separator: "\n").map(String.init)
        var expected = machine.environment.merging(inherited) { $1 }
        expected["VOLT_EXE"] = machine.volt
        expected["VOLT_VERSION"] = "0.1.0"
        expected["VOLT_CONTRACT"] = "1"
        #expect(lines.sorted() == expected.map { "\($0.key)=\($0.value)" }.sorted())
        let bytes = try machine.bash("export B=$'\\377'; volt env | grep -a ^B= | od -An -tx1")
        #expect(bytes.stdout == " 42 3d ff 0a\n")
    }

    @Test("global options travel in the environment, paths seen from the directory of -C")
    func options() throws {
        let machine = try Machine()
        try machine.script(
            "one/volt-x", #"echo "$VOLT_ROOT $VOLT_CONFIG $VOLT_COLOR $VOLT_LOG $VOLT_EXEC_PATH $PWD""#)
        try Files.makeDirectory("\(machine.root)/work/a/b")
        let root = machine.root
        #expect(
            try machine.run(
                "--root", "r", "-C", "a", "--config=c.yaml", "-C", "b", "--color", "never",
                "--log-level=debug",
                "--color=always", "--exec-path=\(root)/exec", "x"
            ).stdout
                == "\(root)/work/a/b/r \(root)/work/a/b/c.yaml always debug \(root)/exec \(root)/work/a/b\n")
        #expect(try machine.run("--root", "/r", "x").stdout.hasPrefix("/r "))
        #expect(try machine.run("-C", "/", "--root", "r", "x").stdout.hasPrefix("/r "))
    }

    @Test(
        "wrong global options are usage errors and never forwarded",
        arguments: [
            (["--frob", "x"], "unknown option '--frob'"), (["-v", "x"], "unknown option '-v'"),
            (["--root"], "'--root' needs a value"), (["--root=", "x"], "the value of '--root' is empty"),
            (["--color=red", "x"], "'red' is not a value of --color"),
            (["--log-level", "loud", "x"], "'loud' is not a value of --log-level"),
            (
                ["-C", "/no/such", "x"],
                "cannot change to the directory '/no/such': no such file or directory"
            ),
            (["-C"], "'-C' needs a value"), (["-C=/", "x"], "unknown option '-C=/'"),
            (["--help=x"], "unknown option '--help=x'"), (["--list-cmds"], "unknown option '--list-cmds'"),
            (["--list-cmds=main", "x"], "'--list-cmds' stands alone"),
            (["--list-cmds=some"], "'some' is not a list of commands"),
            (["help", "--frob"], "'volt help' does not take '--frob'"),
            (["plugins", "x"], "'volt plugins' does not take 'x'"),
            (["version", "-o", "xml"], "'xml' is not a format"),
            (["which"], "'volt which' needs a command"),
            (["which", "a", "b"], "'volt which' does not take 'b'"),
        ])
    func wrongOptions(words: [String], message: String) throws {
        let machine = try Machine()
        try machine.script("one/volt-x", "echo wrong")
        let result = try machine.bash("volt " + words.map { "'\($0)'" }.joined(separator: " "))
        #expect(result.outcome == "64 volt: error: \(message)")
        #expect(result.stdout == "")
    }

    @Test("the exit code is the tool's", arguments: [0, 1, 2, 64, 77, 126, 127, 255])
    func exitCodes(code: Int32) throws {
        let machine = try Machine()
        try machine.script("one/volt-x", "exit \(code)")
        #expect(try machine.run("x").status == code)
    }

    @Test(
        "the shell sees the signal that ended the tool",
        arguments: [("TERM", 143), ("KILL", 137), ("SEGV", 139)])
    func signals(name: String, status: Int) throws {
        let machine = try Machine()
        try machine.script("one/volt-x", "ulimit -c 0; kill -\(name) $$")
        #expect(try machine.bash("volt x; echo $?").stdout == "\(status)\n")
    }

    @Test("a reader that goes away ends the tool by SIGPIPE")
    func pipe() throws {
        let machine = try Machine()
        try machine.tool("yes", "/usr/bin/yes")
        #expect(try machine.bash("volt yes | head -n 1; echo ${PIPESTATUS[0]}").stdout == "y\n141\n")
    }

    @Test(
        "a file that cannot be run is named with the reason and exit code 126",
        arguments: [
            ("#!/no/such/shell -e\n", "its interpreter '/no/such/shell' does not exist"),
            ("#! /bin/sh\r\necho\n", "its interpreter '/bin/sh\\r' does not exist"),
            ("#!\necho\n", "its line '#!' names no interpreter"),
            ("#!/etc/passwd\n", "no permission to run its interpreter '/etc/passwd'"),
            ("echo\n", "it is neither a program nor a script"), ("", "the file is empty"),
            ("\u{7f}ELF", "it is a damaged or foreign program"),
        ])
    func broken(text: String, reason: String) throws {
        let machine = try Machine()
        try machine.file("one/volt-x", text)
        try machine.script("two/volt-x", "echo wrong")
        let result = try machine.run("x", "a")
        #expect(
            machine.neutral(result.outcome) == "126 volt: error: cannot run '<root>/one/volt-x': \(reason)")
        #expect(result.stdout == "")
        #expect(try machine.run("help", "x").status == 126)
    }

    @Test("a program for another machine is named as such, and one whose linker is missing")
    func foreign() throws {
        let machine = try Machine()
        var program = try Files.read("/bin/true")
        let start = "126 volt: error: cannot run '<root>/one/volt-x': "
        let loader = Array("/ld-linux".utf8)
        guard let place = program.firstRange(of: loader) else { return }
        var unlinked = program
        unlinked.replaceSubrange(place, with: "/ld-absen".utf8)
        try Files.replace("\(machine.root)/one/volt-x", with: unlinked, mode: 0o755)
        let result = machine.neutral(try machine.run("x").outcome)
        #expect(result.hasPrefix(start + "its dynamic linker '/lib"))
        #expect(result.hasSuffix("does not exist"))
        // s390x
        program[18] = 22
        program[19] = 0
        try Files.replace("\(machine.root)/one/volt-x", with: program, mode: 0o755)
        #expect(
            machine.neutral(try machine.run("x").outcome).hasPrefix(
                start + "it is built for s390x, this machine is "))
    }

    @Test(
        "the way to a tool is one stat a directory, no listing and no file read",
        .enabled(if: Files.exists("/usr/bin/strace"), "strace is not installed"))
    func cost() throws {
        let machine = try Machine()
        try machine.script("two/volt-x", "exit 0")
        try machine.aliases("y = x\n")
        let line = "strace -qq -o trace -e trace=all volt x && sed '/execve.*two\\/volt-x/q' trace"
        let result = try machine.bash(line)
        #expect(result.status == 0, "\(result.stderr)")
        // What comes before is the start of the Swift runtime, which reads its own memory map.
        let lines = result.stdout.split(separator: "\n").map(String.init)
        let start = try #require(lines.lastIndex { $0.hasPrefix("readlink(\"/proc/self/exe\"") })
        let calls = lines[start...]
        #expect(calls.last?.contains("two/volt-x") == true)
        let stats = calls.filter { $0.contains("stat") && $0.contains("volt-x") }
        let directories = ["usr/libexec/volt", "usr/bin", "one", "two"].map {
            "\"\(machine.root)/\($0)/volt-x\""
        }
        #expect(stats.count == directories.count)
        for (call, directory) in zip(stats, directories) { #expect(call.contains(directory)) }
        #expect(
            calls.filter { $0.hasPrefix("open") || $0.hasPrefix("getdents") || $0.hasPrefix("read(") } == [])
        #expect(calls.filter { $0.hasPrefix("clone") || $0.hasPrefix("fork") || $0.hasPrefix("vfork") } == [])
    }
}
