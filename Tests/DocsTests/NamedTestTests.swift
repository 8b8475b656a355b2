import Testing
import VoltSystem
import VoltTestKit

@Suite struct NamedTestTests {
    @Test("every test that docs/security.md names exists, and each of its rows names one or says why not")
    func named() throws {
        let page = try page("security")
        let rows = page.split(separator: "\n").compactMap { line -> (Int, String)? in
            let cells = line.split(separator: "|").map { $0.filter { $0 != " " } }
            return cells.count >= 3 ? Int(cells[0]).map { ($0, cells[2]) } : nil
        }
        #expect(rows.count >= 25)
        #expect(rows.map(\.0) == Array(1...max(1, rows.count)))
        #expect(rows.allSatisfy { $0.1.count > 20 })
        try requireTests(of: page, "docs/security.md")
    }

    @Test(
        "every rule of the distribution specification in docs/registry-conformance.md has a test that exists")
    func conformance() throws {
        let page = try page("registry-conformance")
        let rows = page.split(separator: "\n").filter { $0.hasPrefix("| ") && !$0.hasPrefix("| rule") }
        #expect(rows.count > 45)
        for row in rows { #expect(row.split(separator: "|").last?.contains("\"") == true, "\(row)") }
        try requireTests(of: page, "docs/registry-conformance.md")
    }

    private func page(_ name: String) throws -> String {
        String(decoding: try Files.read("\(Golden.root())/docs/\(name).md"), as: UTF8.self)
    }

    private func requireTests(of page: String, _ path: String) throws {
        let root = Golden.root()
        var sources = ""
        func add(_ folder: String) throws {
            for name in try Files.list(folder) {
                let file = "\(folder)/\(name)"
                if name.hasSuffix(".swift") {
                    sources += String(decoding: try Files.read(file), as: UTF8.self)
                } else if Files.isDirectory(file), name != "Corpora" {
                    try add(file)
                }
            }
        }
        try add("\(root)/Tests")
        let names = page.replacing("\n", with: " ").matches(of: #/"([^"]+)"/#).map { String($0.1) }
        try #require(names.count > 30)
        for name in names where !sources.contains("\"\(name)\"") {
            Issue.record("\(path) names the test '\(name)': there is none")
        }
    }
}
