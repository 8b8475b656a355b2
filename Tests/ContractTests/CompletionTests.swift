import Glibc
import Testing
import VoltSystem
import VoltTestKit

/// Completes a line as bash does when Tab is typed at its end, and prints the candidates on one line.
private let complete = """
    source "$1"; shift
    COMP_LINE="$*" COMP_WORDS=("$@") COMP_CWORD=$(($# - 1)) COMP_POINT=${#COMP_LINE}
    _volt 2>&1
    echo "${COMPREPLY[*]}"
    """

@Suite struct CompletionTests {
    private func candidates(_ words: [String], _ machine: borrowing Machine, before: String = "") throws
        -> String
    {
        let script = "\(Golden.root())/packaging/completions/volt.bash"
        try machine.file("complete.bash", before + "\n" + complete)
        let line = (["source", "\(machine.root)/complete.bash", script] + words).map { "'\($0)'" }
        let result = try machine.bash(line.joined(separator: " "))
        #expect(result.stderr == "")
        return result.stdout.replacing("\n", with: "")
    }

    @Test(
        "bash completes commands, options and their values",
        arguments: [
            (["volt", ""], "aliases container help plugins version which hello ps"),
            (["volt", "h"], "help hello"),
            (["volt", "--root", "/tmp", "cont"], "container"),
            (["volt", "--color", "=", "a"], "auto always"),
            (["volt", "--color", "n"], "never"), (["volt", "--co"], "--config --color"),
            (["volt", "-C", "/et"], "/etc"),
            (["volt", "which", "cont"], "container"), (["volt", "version", "--a"], "--all"),
            (["volt", "unknown", "/etc/passw"], "/etc/passwd"),
        ])
    func words(words: [String], expected: String) throws {
        let machine = try Machine()
        try machine.script("usr/bin/volt-container", "echo wrong")
        try machine.script("two/volt-hello", "echo wrong")
        try machine.aliases("ps = container ps\n")
        let found = try candidates(words, machine).split(separator: " ").sorted()
        #expect(Set(expected.split(separator: " ")).isSubset(of: found))
        #expect(words.last == "/etc/passw" || found == expected.split(separator: " ").sorted())
    }

    @Test(
        "a mistake in the file of aliases leaves the commands to completion, and volt aliases names its line")
    func brokenAliases() throws {
        let machine = try Machine()
        try machine.script("usr/bin/volt-container", "echo wrong")
        try machine.aliases("ps = container ps\nthis is no alias\n")
        #expect(try candidates(["volt", "cont"], machine) == "container")
        let result = try machine.run("aliases")
        #expect(result.status == 64 && result.stderr.contains(":2: there is no '='"), "\(result.stderr)")
    }

    @Test("the script that a tool of Volt writes completes its words, written without VOLT_EXE")
    func handsOn() throws {
        let machine = try Machine()
        try machine.script(
            "usr/bin/volt-gitops",
            """
            [ "${VOLT_EXE-unset}" = unset ] || exit 1
            cat <<'END'
            _f() { COMPREPLY=("$COMP_LINE" "$COMP_POINT" "$COMP_CWORD" "${COMP_WORDS[*]}" "$1" "$2" "$3"); }
            complete -o filenames -F _f volt-gitops
            END
            """)
        #expect(
            try candidates(
                ["volt", "--root", "/r", "gitops", "logs", "--n"], machine, before: "export VOLT_EXE=/x")
                == "volt-gitops logs --n 20 2 volt-gitops logs --n volt-gitops --n logs")
    }

    @Test("a tool of Volt as it is built completes its verbs")
    func builtTool() throws {
        let machine = try Machine()
        #expect(symlink("\(ToolRunner.products)/volt-container", "\(machine.root)/one/volt-container") == 0)
        #expect(try candidates(["volt", "container", "images", "--js"], machine) == "--json")
    }

    @Test("the function of an extension is called, and an extension without one is not run")
    func extensions() throws {
        let machine = try Machine()
        try machine.script("one/volt-acme-x", "echo ran >\(machine.root)/ran")
        #expect(try candidates(["volt", "acme-x", "/etc/hostnam"], machine) == "/etc/hostname")
        let function = #"_volt_acme_x() { COMPREPLY=("$COMP_CWORD" "${COMP_WORDS[@]}"); }"#
        #expect(
            try candidates(["volt", "acme-x", "a", "b"], machine, before: function) == "2 volt-acme-x a b")
        #expect(!Files.exists("\(machine.root)/ran"))
        let hello = "source \(Golden.root())/examples/volt-hello/volt-hello.bash"
        #expect(try candidates(["volt", "hello", "-o", ""], machine, before: hello) == "text json")
    }
}
