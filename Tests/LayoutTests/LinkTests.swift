import Testing
import VoltSystem
import VoltTestKit

@Suite struct LinkTests {
    @Test("a program loads the shared libraries of the table and no others", arguments: Layout.programs)
    func libraries(program: Program) throws {
        let needed = try needed(program.name)
        if program.isStatic {
            #expect(needed == [])
            return
        }
        try #require(!needed.isEmpty)
        for library in needed where !Layout.isRuntime(library) && !program.libraries.contains(library) {
            Issue.record("\(program.name) loads \(library)")
        }
        for library in program.libraries where !needed.contains(library) {
            Issue.record(
                "\(program.name) does not load \(library): take it out of Tests/LayoutTests/Layout.swift")
        }
    }

    @Test("the programs of the table are those of Package.swift, and the same ones are static")
    func complete() throws {
        let manifest = String(decoding: try Files.read("\(Golden.root())/Package.swift"), as: UTF8.self)
        let declared = manifest.matches(of: #/\b(staticProgram|program)\(\s*"([^"]+)"/#).map { match in
            "\(match.2)\(match.1 == "staticProgram" ? " static" : "")"
        }
        #expect(
            declared.sorted() == Layout.programs.map { $0.name + ($0.isStatic ? " static" : "") }.sorted())
    }

    /// The NEEDED entries without their version: `libgit2.so.1.5` as `libgit2`.
    private func needed(_ program: String) throws -> [String] {
        let scratch = try ScratchDirectory()
        let result = try ToolRunner(scratch: scratch.path)(
            "readelf", "--dynamic", "--wide", "\(ToolRunner.products)/\(program)")
        try #require(result.status == 0, "\(result.stderr)")
        return result.stdout.split(separator: "\n").filter { $0.contains("(NEEDED)") }.compactMap { line in
            guard let start = line.firstIndex(of: "["), let end = line.lastIndex(of: "]") else { return nil }
            let file = line[line.index(after: start)..<end]
            return file.firstRange(of: ".so").map { String(file[..<$0.lowerBound]) } ?? String(file)
        }
    }
}
