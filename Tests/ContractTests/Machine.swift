import CTestTerminal
import Glibc
import Testing
import VoltSystem
import VoltTestKit

/// A machine of a test's own: `volt` installed in `usr/bin`, and directories to put tools into.
struct Machine: ~Copyable {
    private let scratch: ScratchDirectory
    /// The directory that everything lies in.
    var root: String { scratch.path }
    /// The program under test.
    var volt: String { "\(root)/usr/bin/volt" }
    /// The environment of what is run; PATH has `usr/bin`, `one` and `two` before the system's.
    var environment: [String: String]

    init() throws {
        let scratch = try ScratchDirectory()
        for directory in ["usr/bin", "usr/libexec/volt", "exec", "one", "two", "work", "home"] {
            try Files.makeDirectory("\(scratch.path)/\(directory)")
        }
        let program = "\(ToolRunner.products)/volt"
        // /proc/self/exe names the link that was run, so a hard link is an installed copy.
        if link(program, "\(scratch.path)/usr/bin/volt") != 0 {
            try Files.replace("\(scratch.path)/usr/bin/volt", with: try Files.read(program), mode: 0o755)
        }
        environment = [
            "HOME": "\(scratch.path)/home", "VOLT_ROOT": "\(scratch.path)/root", "LC_ALL": "C.UTF-8",
            "PATH": ["usr/bin", "one", "two"].map { "\(scratch.path)/\($0):" }.joined()
                + "/usr/local/bin:/usr/bin:/bin",
        ]
        self.scratch = scratch
    }

    /// Puts a shell script at a path below the root.
    func script(_ path: String, _ body: String, mode: UInt32 = 0o755) throws {
        try file(path, "#!/bin/sh\n\(body)\n", mode: mode)
    }

    func file(_ path: String, _ text: String, mode: UInt32 = 0o755) throws {
        try Files.makeDirectory(Files.parent(of: "\(root)/\(path)"))
        try Files.replace("\(root)/\(path)", with: text.utf8, mode: mode)
    }

    /// Makes a program of the system a tool, by a link.
    func tool(_ name: String, _ program: String) throws {
        #expect(symlink(program, "\(root)/one/volt-\(name)") == 0)
    }

    /// Writes the file of aliases.
    func aliases(_ text: String) throws { try file("root/etc/aliases", text, mode: 0o644) }

    /// Runs `volt` with some words in the directory `work`.
    func run(_ words: String..., with changes: [String: String] = [:]) throws -> ToolRunner.Result {
        try command([volt] + words, with: changes)
    }

    /// Runs a line of bash in the directory `work`, with `volt` on PATH.
    func bash(_ line: String, with changes: [String: String] = [:]) throws -> ToolRunner.Result {
        try command(["/bin/bash", "--norc", "-c", line], with: changes)
    }

    private func command(_ words: [String], with changes: [String: String]) throws -> ToolRunner.Result {
        var runner = ToolRunner(scratch: root)
        runner.environment = environment.merging(changes) { $1 }
        runner.directory = "\(root)/work"
        // A child that another test forks at this moment still holds the script open for writing until it
        // becomes its own program, and the kernel does not run a file that is open for writing.
        var result = try runner.run(words)
        for _ in 0..<200
        where result.stderr.contains("is being written") || result.stderr.contains("file busy") {
            result = try runner.run(words)
        }
        return result
    }

    /// The text with the machine's own directory as `<root>`.
    func neutral(_ text: String) -> String { text.replacing(root, with: "<root>") }
}

/// The outcome of a program on one line: exit code and first line of stderr.
extension ToolRunner.Result {
    var outcome: String {
        let first = stderr.split(separator: "\n").first.map(String.init) ?? ""
        return "\(status) \(first)"
    }
}
