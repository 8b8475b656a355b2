import CTestTerminal
import Glibc
import Testing
import VoltSystem
import VoltTestKit

/// A host with something in every tool that can be shown: a store with a blob and a tree, a layout with an artifact, a
/// pipeline, and a container that has printed.
private struct ShownHost: ~Copyable {
    private let scratch: ScratchDirectory
    let run: ToolRunner
    var path: String { scratch.path }

    init() throws {
        let scratch = try ScratchDirectory()
        var run = ToolRunner(scratch: scratch.path)
        run.environment["SYSTEMD_COLORS"] = "0"
        let setUp = """
            set -e
            mkdir tree && echo a > tree/file && echo one > blob
            volt-cas init && volt-cas put blob --tag blob && volt-cas add-tree tree --tag tree
            mkdir other && echo b > other/file && volt-cas add-tree other --tag other
            volt-registry push oci:layout:one --artifact-type text/x blob:text/plain
            volt-registry attach oci:layout:one --artifact-type text/y blob:text/plain
            volt-gitops create --name web --repo https://localhost/web.git --branch main --workload web \
                --provider github --secret-file blob
            tar cf image.tar -C tree .
            volt-container import --name one image.tar && volt-container create --name one one true
            echo "2025-07-14T15:30:00.000Z stdout printed" >root/lib/container/containers/one/log
            """
        let made = try run.run(["/bin/bash", "-c", setUp])
        guard made.status == 0 else { throw SetUpFailed(text: made.stderr) }
        self.run = run
        self.scratch = scratch
    }

    struct SetUpFailed: Error { let text: String }

    /// Runs a line of bash.
    func bash(_ line: String) throws -> ToolRunner.Result {
        try run.run(["/bin/bash", "--norc", "-c", line])
    }

    /// Runs a tool that has nobody to read what it prints, and every signal in disorder; its status.
    func intoClosedPipe(_ words: [String]) throws -> Int32 {
        var ends: [Int32] = [0, 0]
        try #require(Glibc.pipe(&ends) == 0)
        close(ends[0])
        let program = "\(ToolRunner.products)/\(words[0])"
        let environment = run.environment.map { "\($0)=\($1)" }
        let pid = withPointers([program] + words.dropFirst().map { $0.replacing("./", with: "\(path)/") }) {
            argv in
            withPointers(environment) { test_spawn_in_disorder(program, argv, $0, ends[1]) }
        }
        close(ends[1])
        return waitForExit(of: pid)
    }
}

@Suite struct StandardOutputTests {
    /// Every kind of thing that a tool prints, with words that need no quotes; `./` is the directory of the test.
    static let lines = [
        "volt help", "volt help -a", "volt version", "volt plugins --json", "volt which cas",
        "volt --list-cmds=main", "volt cas tags",
        "volt-cas --help", "volt-cas --version", "volt-cas --volt-metadata",
        "volt-cas --generate-completion-script bash", "volt-cas --experimental-dump-help",
        "volt-cas tags", "volt-cas tags -o json", "volt-cas cat blob", "volt-cas cat tree:file",
        "volt-cas cat blob --length 2", "volt-cas ls tree -o json", "volt-cas stats -o json",
        "volt-cas verify", "volt-cas verify -o json", "volt-cas gc --dry-run",
        "volt-cas put ./blob", "volt-cas put ./blob -o json", "volt-cas add-tree ./tree", "volt-cas lease ls",
        "volt-cas lease ls -o json", "volt-cas lease take blob --for 1h", "volt-cas repair --index",
        "volt-cas repack", "volt-cas init",
        "volt-cas diff tree other", "volt-cas diff tree other -o json",
        "volt-registry --generate-completion-script zsh", "volt-registry ls oci:./layout",
        "volt-registry ls oci:./layout -o json", "volt-registry resolve oci:./layout:one",
        "volt-registry manifest fetch oci:./layout:one", "volt-registry discover oci:./layout:one",
        "volt-registry discover oci:./layout:one -o json",
        "volt-registry copy oci:./layout:one oci:./copied:one",
        "volt-registry copy -o json oci:./layout:one oci:./copied:one",
        "volt-registry blob push oci:./layout ./blob",
        "volt-registry gc --dry-run --store ./root/lib/cas/store",
        "volt-gitops list", "volt-gitops list -o json", "volt-gitops status -o json",
        "volt-gitops logs --name web -o json",
        "volt-gitops export", "volt-gitops secret show --name web", "volt-gitops secret rotate --name web",
        "volt-gitops window list --name web", "volt-gitops control --name web",
        "volt-container ps -a", "volt-container ps -o json", "volt-container images -o json",
        "volt-container logs one", "volt-container logs -f one",
        "volt-container inspect one",
        "volt-service list -o json",
        "volt-demo --help",
    ]

    @Test(
        "what cannot be printed ends every command with 1 and the reason, and a reader that is gone as SIGPIPE does"
    )
    func everyVerb() throws {
        let host = try ShownHost()
        for line in Self.lines {
            let full = try host.bash("\(line) >/dev/full")
            #expect(full.status == 1, "\(line) >/dev/full: \(full.stderr)")
            #expect(
                full.stderr.contains("cannot write to stdout: no space left on device"), "\(line) >/dev/full")
            #expect(full.stderr.ranges(of: "cannot write to stdout").count == 1, "\(line) >/dev/full")
            let closed = try host.bash("\(line) >&-")
            #expect(closed.status == 1, "\(line) >&-: \(closed.stderr)")
            #expect(closed.stderr.contains("cannot write to stdout: bad file descriptor"), "\(line) >&-")
            let words = line.split(separator: " ").map(String.init)
            #expect(try host.intoClosedPipe(words) == 128 + SIGPIPE, "\(line) into a closed pipe")
        }
    }

    @Test("a command that cannot print what it did has done it, for each of several names")
    func done() throws {
        let host = try ShownHost()
        let put = try host.bash("echo two > second && volt-cas put second --tag second >/dev/full")
        #expect(put.status == 1)
        #expect(put.stderr.contains("what the command changed stays changed"))
        #expect(try host.bash("volt-cas cat second").stdout == "two\n")
        #expect(try host.bash("volt-cas untag second other tree >/dev/full").status == 1)
        #expect(try host.bash("volt-cas tags -o json | grep -c name").stdout == "1\n")
        // A failure of the command's own comes first, and both are said.
        let both = try host.bash("volt-cas untag blob nothing >/dev/full")
        #expect(both.status == 2)
        #expect(both.stderr.contains("there is no tag 'nothing'"))
        #expect(both.stderr.contains("cannot write to stdout"))
    }

    @Test("no file is opened in the place of a standard descriptor that is closed")
    func closedDescriptors() throws {
        let host = try ShownHost()
        // Each writes into files, and prints; 1 is what the first file would get.
        for line in [
            "volt-gitops suspend --name web", "volt-gitops resume --name web",
            "volt-cas put blob --tag closed",
            "volt-gitops list", "volt-gitops secret rotate --name web",
        ] {
            _ = try host.bash("\(line) <&- >&- 2>&-")
        }
        #expect(try host.bash("volt-gitops list").stdout.contains("web"))
        #expect(try host.bash("volt-cas cat closed").stdout == "one\n")
        #expect(try host.bash("volt-cas verify").status == 0)
        let shown = try host.bash(
            "volt-cas serve --socket sock <&- >&- 2>&- & sleep 0; until [ -S sock ]; do :; done; readlink /proc/$!/fd/0 /proc/$!/fd/1 /proc/$!/fd/2; kill $!"
        )
        #expect(shown.stdout == "/dev/null\n/dev/null\n/dev/null\n")
    }
}
