import Testing
import VoltSystem
import VoltTestKit

/// A source file, and the module that its folder makes it a part of.
private struct Source {
    let path: String
    let lines: [Substring]
    let module: Module?
}

/// An import line.
private struct Import {
    let words: [Substring]
    var module: String { String(words.last ?? "") }

    init?(_ line: Substring) {
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

    init() throws {
        let root = Golden.root()
        func files(_ folder: String) throws -> [String] {
            try Files.list("\(root)/Sources/\(folder)").flatMap { name in
                let path = folder.isEmpty ? name : "\(folder)/\(name)"
                if Files.isDirectory("\(root)/Sources/\(path)") { return try files(path) }
                return name.hasSuffix(".swift") ? [path] : []
            }
        }
        sources = try files("").map { path in
            let text = String(decoding: try Files.read("\(root)/Sources/\(path)"), as: UTF8.self)
            return Source(
                path: path, lines: text.split(separator: "\n", omittingEmptySubsequences: false),
                module: Layout.modules.first { path.hasPrefix($0.folder + "/") })
        }
        try #require(sources.count > 50)
    }

    @Test("every file belongs to a module of the table, and every module has files")
    func complete() {
        for source in sources where source.module == nil {
            Issue.record("Sources/\(source.path) is in no module of Tests/LayoutTests/Layout.swift")
        }
        for module in Layout.modules where !sources.contains(where: { $0.module?.folder == module.folder }) {
            Issue.record(
                "Sources/\(module.folder) has no files: take it out of Tests/LayoutTests/Layout.swift")
        }
    }

    @Test("a module imports only what the table allows")
    func directions() {
        for source in sources {
            for line in source.lines.compactMap(Import.init) {
                let allowed = source.module?.imports ?? []
                if !allowed.contains(line.module), !Layout.anywhere.contains(line.module) {
                    Issue.record("Sources/\(source.path) imports \(line.module)")
                }
            }
        }
    }

    // Package.swift makes an import without a word before it internal.
    @Test("each C library is imported by one module, as an internal import")
    func libraries() {
        var users: [String: Set<String>] = [:]
        for source in sources {
            for line in source.lines.compactMap(Import.init) where line.module.first == "C" {
                guard line.module.dropFirst().first?.isUppercase == true else { continue }
                users[line.module, default: []].insert(source.module?.folder ?? source.path)
                if !["internal", "import"].contains(line.words.first) {
                    Issue.record("Sources/\(source.path): import \(line.module) is not internal")
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
                Issue.record("Sources/\(source.path) imports \(line.module): use FoundationEssentials")
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
                    Issue.record("Sources/\(source.path):\(number + 1) has '\(word)'")
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
                        if source.path == "volt-container/run/Terminal.swift", word == "to: 1" { continue }
                        Issue.record(
                            "Sources/\(source.path):\(number + 1) writes to stdout: use Output.put or Output.line"
                        )
                    }
                }
            }
        }
    }

    @Test("no file is longer than 450 lines")
    func length() {
        for source in sources where source.lines.count > Layout.longestFile + 1 {
            Issue.record("Sources/\(source.path) has \(source.lines.count - 1) lines")
        }
    }
}
