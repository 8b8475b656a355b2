import Testing
import VoltSystem
import VoltTestKit

@Suite struct LinkTests {
    @Test("a program loads the shared libraries of the table and no others", arguments: Layout.programs)
    func libraries(program: Module) throws {
        let needed = try needed(program.name)
        if program.isStatic {
            #expect(needed == [])
            return
        }
        try #require(!needed.isEmpty)
        let expected = Layout.libraries[program.name] ?? []
        for library in needed where !Layout.isRuntime(library) && !expected.contains(library) {
            Issue.record("\(program.name) loads \(library)")
        }
        for library in expected where !needed.contains(library) {
            Issue.record(
                "\(program.name) does not load \(library): take it out of Tests/LayoutTests/Layout.swift")
        }
    }

    @Test("the table of libraries has no program that is gone")
    func complete() {
        #expect(Set(Layout.libraries.keys).subtracting(Layout.programs.map(\.name)) == [])
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
