import Testing
import VoltSystem
import VoltTestKit

/// A source file, and the module that its folder makes it a part of.
private struct Source: Sendable {
    let path: String
    let lines: [Substring]
    let module: Module?
}

/// An import line.
private struct Import {
    let words: [Substring]
    var module: String { String(words.last ?? "") }

    /// Nil for another line; what is indented is text in a string.
    init?(_ line: Substring) {
        guard line.first?.isWhitespace == false else { return nil }
        let words = line.split(whereSeparator: \.isWhitespace)
        let before: Set<Substring> = [
            "public", "internal", "private", "fileprivate", "package", "@_exported", "@testable",
        ]
        guard let place = words.firstIndex(of: "import"), words[..<place].allSatisfy(before.contains) else {
            return nil
        }
        // A submodule or a single declaration counts as its module.
        self.words = words[...place] + [words[words.count - 1].split(separator: ".")[0]]
    }
}

@Suite struct ImportTests {
    private let sources: [Source]
    /// With the tests.
    private let all: [Source]

    init() throws {
        all = try Self.read.get()
        sources = all.filter { $0.path.hasPrefix("Sources/") }
        try #require(sources.count > 50)
    }

    /// Read once for all tests.
    private static let read = Result {
        let root = Golden.root()
        func files(_ folder: String) throws -> [String] {
            try Files.list("\(root)/\(folder)").flatMap { name in
                let path = "\(folder)/\(name)"
                if Files.isDirectory("\(root)/\(path)") { return try files(path) }
                return name.hasSuffix(".swift") ? [path] : []
            }
        }
        return try (files("Sources") + files("Tests")).map { path in
            let text = String(decoding: try Files.read("\(root)/\(path)"), as: UTF8.self)
            return Source(
                path: path, lines: text.split(separator: "\n", omittingEmptySubsequences: false),
                module: Layout.module(of: path))
        }
    }

    @Test("every file belongs to a module of Package.swift, and every module has files")
    func complete() {
        for source in all where source.module == nil && !source.path.hasPrefix("Tests/volt-fuzz/") {
            Issue.record("\(source.path) is in no module of Package.swift")
        }
        for module in Layout.modules where !all.contains(where: { $0.module?.name == module.name }) {
            Issue.record("\(module.folder) has no Swift files")
        }
    }

    @Test("a module imports what it declares, and declares what it imports", arguments: Layout.modules)
    func declared(module: Module) {
        let lines = all.filter { $0.module?.name == module.name }.flatMap(\.lines)
        let imports = Set(lines.compactMap(Import.init).map(\.module))
        let outside = Layout.anywhere.union(Layout.runtimeModules).union(module.isTest ? ["Testing"] : [])
        for name in imports.subtracting(outside).subtracting(module.needs).sorted() {
            Issue.record("\(module.folder) imports \(name), which Package.swift does not name")
        }
        // A program that is named is built, and is not imported.
        let programs = Layout.programs.map(\.name)
        for name in module.needs.subtracting(imports).subtracting(programs).sorted() {
            Issue.record("\(module.folder) does not import \(name), which Package.swift names")
        }
    }

    @Test("VoltKit needs no tool, and a tool's modules need no other tool", arguments: Layout.modules)
    func directions(module: Module) {
        guard !module.isTest else { return }
        let tool = module.folder.split(separator: "/")[1]
        for other in Layout.modules where module.needs.contains(other.name) {
            let owner = other.folder.split(separator: "/")[1]
            if owner != tool, owner != "VoltKit" {
                Issue.record("\(module.folder) needs \(other.name) of \(owner)")
            }
        }
    }

    @Test("what a static program links does without FoundationEssentials and Dispatch")
    func staticPrograms() {
        for program in Layout.programs where program.isStatic {
            let linked = Layout.closure(of: program.name)
            for source in sources where linked.contains(source.module?.name ?? "") {
                for line in source.lines.compactMap(Import.init)
                where Layout.runtimeModules.contains(line.module) {
                    Issue.record("\(source.path) imports \(line.module), and \(program.name) links it")
                }
            }
        }
    }

    // Package.swift makes an import without a word before it internal.
    @Test("each C library is imported by one module, as an internal import")
    func libraries() {
        var users: [String: Set<String>] = [:]
        for source in sources {
            for line in source.lines.compactMap(Import.init) where Layout.isLibrary(line.module) {
                users[line.module, default: []].insert(source.module?.folder ?? source.path)
                if !["internal", "import"].contains(line.words.first) {
                    Issue.record("\(source.path): import \(line.module) is not internal")
                }
            }
        }
        for (library, folders) in users where library != Layout.systemCalls && folders.count > 1 {
            Issue.record("\(library) is imported by \(folders.sorted().joined(separator: ", "))")
        }
    }

    @Test("no file imports Foundation, which brings ICU, or XCTest")
    func foundation() {
        let refused: Set<String> = [
            "Foundation", "FoundationNetworking", "FoundationInternationalization", "XCTest",
        ]
        for source in sources {
            for line in source.lines.compactMap(Import.init) where refused.contains(line.module) {
                Issue.record("\(source.path) imports \(line.module): use FoundationEssentials")
            }
        }
    }

    @Test("an engine neither prints nor reads the environment of the process")
    func engines() {
        let refused = ["print(", "Environment.current", "getenv(", "CommandLine."]
        for source in sources where source.module?.isEngine == true {
            for (number, line) in source.lines.enumerated() {
                let code = line.drop(while: \.isWhitespace)
                if code.hasPrefix("//") { continue }
                for word in refused where code.hasPrefix(word) || code.contains(" \(word)") {
                    Issue.record("\(source.path):\(number + 1) has '\(word)'")
                }
            }
        }
    }

    // A write to stdout that fails has to end in the exit code: VoltCLI's Output sees to that, Console in `volt`, and
    // StandardOutput below both. The terminal of an exec and the protocol of `cas serve --stdio` are no data of a command.
    @Test("nothing but VoltCLI writes to stdout")
    func standardOutput() {
        let refused = [
            "print(", "puts(", "putchar(", "fwrite(", "fflush(", "write(1,", "STDOUT_FILENO", "to: 1",
        ]
        for source in sources {
            for (number, line) in source.lines.enumerated() {
                let code = " \(line.drop(while: \.isWhitespace))"
                if code.hasPrefix(" //") || code.hasPrefix(" static func print(") { continue }
                for word in refused {
                    for place in code.ranges(of: word) {
                        let before = code[code.index(before: place.lowerBound)]
                        let after = place.upperBound < code.endIndex ? code[place.upperBound] : " "
                        if before.isLetter || before.isNumber || before == "." || after.isNumber { continue }
                        if source.path == "Sources/volt-container/run/Terminal.swift", word == "to: 1" {
                            continue
                        }
                        Issue.record(
                            "\(source.path):\(number + 1) writes to stdout: use Output.put or Output.line"
                        )
                    }
                }
            }
        }
    }

    // Without it ArgumentParser asks the runtime for the name of the type, which looks through all conformances of the
    // program: a tenth of a millisecond a command, each time the tool starts.
    @Test("a command has its name written down")
    func commandNames() {
        for source in sources where source.module?.name != "VoltCLI" {
            let code = source.lines.joined(separator: "\n")
            for place in code.ranges(of: "CommandConfiguration(") {
                let rest = code[place.upperBound...].drop(while: \.isWhitespace)
                if rest.hasPrefix("commandName:") || rest.hasPrefix("tool:") { continue }
                let line = code[..<place.lowerBound].count { $0 == "\n" } + 1
                Issue.record("\(source.path):\(line) has a command without commandName")
            }
        }
    }

    @Test("a sanitiser of texts is PrintableText")
    func sanitisers() {
        let refused = [
            "$0 < 32 || $0 == 127 ?", "value < 32 || $0.value == 127 ?", "generalCategory == .control ?",
        ]
        for source in sources {
            for (number, line) in source.lines.enumerated() {
                for word in refused where line.contains(word) {
                    Issue.record("\(source.path):\(number + 1) replaces characters: use PrintableText")
                }
            }
        }
    }

    // Tests that run beside each other share one process.
    @Test("suites that scripts/test runs in parallel change nothing of their process and wait for nothing")
    func parallel() throws {
        let script = String(decoding: try Files.read("\(Golden.root())/scripts/test"), as: UTF8.self)
        let line = try #require(script.firstMatch(of: /pure='\^\((.*)\)/)?.1)
        let names = Set(line.split(separator: "|").map(String.init))
        #expect(names.count > 10)
        let refused = [
            "Environment.set(", "setenv(", "chdir(", "umask(", "setrlimit(", "/proc/self/", " signal(",
            "LoopbackPort", "HTTPServer", "usleep(", "unshare", "mount(",
        ]
        var found: Set<String> = []
        for source in all {
            guard let name = source.module?.name, names.contains(name) else { continue }
            found.insert(name)
            for (number, line) in source.lines.enumerated() {
                for word in refused where line.contains(word) {
                    Issue.record("\(source.path):\(number + 1) has '\(word)', and runs beside other tests")
                }
            }
        }
        #expect(found == names, "scripts/test names suites that are gone")
    }

    @Test("no file is longer than 450 lines")
    func length() {
        for source in sources where source.lines.count > Layout.longestFile + 1 {
            Issue.record("\(source.path) has \(source.lines.count - 1) lines")
        }
    }

    @Test("no function is longer than 60 lines")
    func functions() {
        let start =
            #/^(?<indent> *)(?:@\w+(?:\([^)]*\))? |[a-z]+(?:\(set\))? )*(?:func |init[?<(]|deinit|subscript)/#
        for source in sources {
            for (number, line) in source.lines.enumerated() {
                guard let found = line.firstMatch(of: start) else { continue }
                let end = "\(found.indent)}"
                // A declaration in a protocol ends where the next line is not further in.
                for (offset, next) in source.lines[(number + 1)...].enumerated() {
                    if next == end {
                        if offset + 2 > Layout.longestFunction {
                            Issue.record("\(source.path):\(number + 1) has \(offset + 2) lines")
                        }
                        break
                    }
                    let isInside = next.hasPrefix(found.indent + " ") || next.isEmpty
                    let isHead = [")", "{", "-", "w", "t"].contains(next.drop { $0 == " " }.prefix(1))
                    if !isInside, !isHead { break }
                }
            }
        }
    }
}
