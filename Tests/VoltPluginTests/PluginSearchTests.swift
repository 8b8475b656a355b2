import Glibc
import Testing
import VoltPlugin
import VoltSystem
import VoltTestKit

@Suite struct ToolNameTests {
    @Test(
        "the name of a subsystem follows the rule",
        arguments: [
            ("gitops", true), ("a", true), ("acme-backup", true), ("v2", true), ("a-1", true),
            (String(repeating: "a", count: 32), true), (String(repeating: "a", count: 33), false),
            ("", false), ("-", false), ("-a", false), ("a-", false), ("a--b", false), ("2v", false),
            ("Gitops", false),
            ("a_b", false), ("a.b", false), ("../a", false), ("a/b", false), ("a b", false), ("ä", false),
            ("a\0", false), ("a\n", false),
        ])
    func rule(name: String, valid: Bool) { #expect(ToolName.isValid(name) == valid) }

    @Test(
        "a file name gives the name of its subsystem, and a private helper has none",
        arguments: [
            ("volt-hello", "hello"), ("volt-acme-backup", "acme-backup"), ("volt-container--run", nil),
            ("volt-", nil),
            ("volt", nil), ("volt-Hello", nil), ("hello", nil), ("volt-hello.sh", nil),
        ] as [(String, String?)])
    func file(file: String, name: String?) { #expect(ToolName.ofFile(file) == name) }
}

/// A prefix with the running program in `bin`, and directories for PATH.
private struct Layout: ~Copyable {
    let scratch: ScratchDirectory
    var root: String { scratch.path }
    var program: String { "\(root)/usr/bin/volt" }

    init() throws {
        let scratch = try ScratchDirectory()
        for directory in ["usr/bin", "usr/libexec/volt", "exec", "one", "two"] {
            try Files.makeDirectory("\(scratch.path)/\(directory)")
        }
        self.scratch = scratch
    }

    func tool(_ path: String, mode: UInt32 = 0o755) throws {
        try Files.replace("\(root)/\(path)", with: "#!/bin/sh\n".utf8, mode: mode)
    }

    func search(path: String?, execPath: String? = nil) -> PluginSearch {
        var environment: [String: String] = [:]
        environment["PATH"] = path
        environment["VOLT_EXEC_PATH"] = execPath
        return PluginSearch(environment: environment, selfPath: program)
    }
}

@Suite struct PluginSearchTests {
    @Test("the four steps come in their order")
    func order() throws {
        let layout = try Layout()
        let search = layout.search(
            path: "\(layout.root)/one:\(layout.root)/two", execPath: "\(layout.root)/exec")
        let places = [
            ("two", PluginSearch.Origin.path), ("one", .path), ("usr/bin", .sibling),
            ("usr/libexec/volt", .libexec),
            ("exec", .execPath),
        ]
        #expect(search.path(of: "x") == nil)
        for (directory, origin) in places {
            try layout.tool("\(directory)/volt-x")
            #expect(search.path(of: "x") == "\(layout.root)/\(directory)/volt-x")
            #expect(search.first("x")?.origin == origin)
        }
        #expect(search.all("x").map(\.path) == places.reversed().map { "\(layout.root)/\($0.0)/volt-x" })
    }

    @Test("the program's own directory takes its turn on PATH when it is there", arguments: ["", "/", "/."])
    func sibling(ending: String) throws {
        let layout = try Layout()
        try layout.tool("usr/bin/volt-x")
        try layout.tool("one/volt-x")
        let on = layout.search(path: "\(layout.root)/one:\(layout.root)/usr//bin\(ending)")
        #expect(on.path(of: "x") == "\(layout.root)/one/volt-x")
        let off = layout.search(path: "\(layout.root)/one")
        #expect(off.path(of: "x") == "\(layout.root)/usr/bin/volt-x")
    }

    @Test("without PATH the directories of POSIX are searched, with an empty one none")
    func unset() throws {
        let layout = try Layout()
        let byPath = { (search: PluginSearch) in
            search.directories.filter { $0.origin == .path }.map { String(decoding: $0.bytes, as: UTF8.self) }
        }
        #expect(byPath(layout.search(path: nil)) == ["/bin", "/usr/bin"])
        #expect(byPath(layout.search(path: "")) == [])
    }

    @Test(
        "empty, relative and dotted entries are no directories to search",
        arguments: [
            "", ":", "::", ".", "./", "bin", "../x", ".:", ":bin:",
        ])
    func relative(path: String) {
        let search = PluginSearch(environment: ["PATH": path, "VOLT_EXEC_PATH": "exec"], selfPath: "volt")
        #expect(search.directories == [])
    }

    @Test("a directory, a file without permission and a closed directory are passed over")
    func passedOver() throws {
        let layout = try Layout()
        try Files.makeDirectory("\(layout.root)/one/volt-x")
        try layout.tool("two/volt-x", mode: 0o644)
        try layout.tool("exec/volt-x")
        let path = "\(layout.root)/absent:\(layout.root)/one:\(layout.root)/two:\(layout.root)/exec"
        let search = layout.search(path: path)
        #expect(search.path(of: "x") == "\(layout.root)/exec/volt-x")
        #expect(search.all("x").map(\.problem) == [.notAFile, .notExecutable, nil])
    }

    @Test("a link to a tool is the tool, a dangling link is nothing")
    func links() throws {
        let layout = try Layout()
        try layout.tool("two/program")
        #expect(symlink("\(layout.root)/two/program", "\(layout.root)/two/volt-x") == 0)
        #expect(symlink("\(layout.root)/gone", "\(layout.root)/one/volt-x") == 0)
        let search = layout.search(path: "\(layout.root)/one:\(layout.root)/two")
        #expect(search.all("x").map(\.path) == ["\(layout.root)/two/volt-x"])
    }

    @Test("a directory with two names counts once")
    func merged() throws {
        let layout = try Layout()
        try layout.tool("one/volt-x")
        #expect(symlink("\(layout.root)/one", "\(layout.root)/alias") == 0)
        let search = layout.search(path: "\(layout.root)/one:\(layout.root)/alias:\(layout.root)/one/")
        #expect(search.all("x").count == 1)
    }

    @Test("a directory whose name is not UTF-8 is searched")
    func bytes() throws {
        let layout = try Layout()
        let search = PluginSearch(
            execPath: nil, path: Array("/odd".utf8) + [0xff, 0xfe], selfPath: Array(layout.program.utf8))
        #expect(search.directories.last?.bytes == Array("/odd".utf8) + [0xff, 0xfe])
    }

    @Test(
        "a name that breaks the rule never reaches the disk",
        arguments: ["../one/volt-x", "x/", "X", "a--b", ""])
    func name(name: String) throws {
        let layout = try Layout()
        try layout.tool("one/volt-a--b")
        #expect(layout.search(path: "\(layout.root)/one").path(of: name) == nil)
        #expect(layout.search(path: "\(layout.root)/one").all(name) == [])
    }
}
