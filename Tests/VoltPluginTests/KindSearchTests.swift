import Glibc
import Testing
import VoltCore
import VoltPlugin
import VoltSystem
import VoltTestKit

/// A kind of workload counts when a file beside its tool registers it, which nobody but root and the caller can write.
final class KindSearchTests {
    private let scratch: ScratchDirectory
    private var file: String { "\(scratch.path)/share/volt/commands/x.json" }

    init() throws {
        scratch = try ScratchDirectory()
        for name in ["bin", "libexec/volt", "share/volt/commands"] {
            try Files.makeDirectory("\(scratch.path)/\(name)", mode: 0o755)
        }
        try tool("bin/volt-x")
    }

    private func tool(_ path: String) throws {
        try Files.replace(
            "\(scratch.path)/\(path)", with: "#!/bin/sh\ntouch '\(scratch.path)/ran'\n".utf8, mode: 0o755)
    }

    private func register(_ members: String = #""kinds": ["x"]"#) throws {
        try Files.replace(
            file,
            with: #"{"contract": 1, "name": "x", "version": "1", "summary": "apply x", \#(members)}"#.utf8,
            mode: 0o644)
    }

    /// The tool of `x`, or the code and the hint.
    private func found(_ kind: String = "x", path: String = "bin") -> (
        tool: String?, code: ExitCode?, hint: String
    ) {
        let search = PluginSearch(environment: ["PATH": "\(scratch.path)/\(path)"], selfPath: "")
        do throws(VoltError) { return (try search.tool(ofKind: kind), nil, "") } catch {
            return (nil, error.code, "\(error.message); \(error.hint ?? "")")
        }
    }

    @Test("a registered tool is found, in bin and in libexec, and through a link to its directory")
    func registered() throws {
        try register()
        #expect(found().tool == "\(scratch.path)/bin/volt-x")
        try tool("libexec/volt/volt-x")
        #expect(found(path: "libexec/volt").tool == "\(scratch.path)/libexec/volt/volt-x")
        // As /bin is on a merged system.
        try Files.makeDirectory("\(scratch.path)/elsewhere")
        #expect(symlink("\(scratch.path)/bin", "\(scratch.path)/elsewhere/bin") == 0)
        #expect(found(path: "elsewhere/bin").tool == "\(scratch.path)/elsewhere/bin/volt-x")
        #expect(!Files.exists("\(scratch.path)/ran"))
    }

    @Test("the kinds of Volt need no file, and are not installed all the same when their tool is not there")
    func own() throws {
        try tool("bin/volt-container")
        #expect(found("container").tool == "\(scratch.path)/bin/volt-container")
        for kind in ["vm", "nomad", "../x", ""] {
            let answer = found(kind)
            #expect(answer.code == .missing && answer.hint.hasPrefix("'volt-\(kind)' is not installed"))
        }
    }

    @Test("without a file, or with one that does not name the kind, it is refused, and the file is named")
    func unregistered() throws {
        #expect(found().code == .refused && found().hint.contains("write '\(file)' with {\"contract\": 1"))
        for members in [#""kinds": []"#, #""kinds": ["y"]"#, #""group": "run""#, #""kinds": "x""#, "!"] {
            try register(members)
            let answer = found()
            #expect(answer.code == .refused && answer.hint.contains("'\(file)'"), "\(members): \(answer)")
        }
        try Files.replace(file, with: [UInt8](repeating: 32, count: 70_000))
        #expect(found().code == .refused)
        #expect(!Files.exists("\(scratch.path)/ran"))
    }

    @Test(
        "a file or directory that others may write does not count, nor does a link",
        arguments: ["share", "share/volt", "share/volt/commands", "share/volt/commands/x.json"])
    func writable(place: String) throws {
        try register()
        let path = "\(scratch.path)/\(place)"
        try #require(found().tool != nil)
        var information = stat()
        try #require(stat(path, &information) == 0)
        #expect(chmod(path, information.st_mode | 0o002) == 0)
        #expect(found().code == .refused && found().hint.contains("everybody may write '\(path)'"))
        if getuid() == 0 {
            #expect(chmod(path, information.st_mode | 0o020) == 0 && chown(path, 0, 12345) == 0)
            #expect(found().code == .refused && found().hint.contains("group 12345 may write '\(path)'"))
            #expect(chmod(path, information.st_mode) == 0)
            #expect(found().tool != nil)
            #expect(chown(path, 12345, 0) == 0)
            #expect(found().code == .refused && found().hint.contains("'\(path)' belongs to user 12345"))
            #expect(chown(path, 0, 0) == 0)
        }
        #expect(chmod(path, information.st_mode) == 0)
        #expect(rename(path, "\(scratch.path)/moved") == 0 && symlink("\(scratch.path)/moved", path) == 0)
        #expect(found().code == .refused && found().hint.contains("'\(path)' is a link"))
    }
}
