import Testing
import VoltSystem
import VoltTestKit

@Suite struct SecurityPageTests {
    @Test("every test that docs/security.md names exists, and each of its rows names one or says why not")
    func named() throws {
        let root = Golden.root()
        let page = String(decoding: try Files.read("\(root)/docs/security.md"), as: UTF8.self)
        var sources = ""
        func add(_ folder: String) throws {
            for name in try Files.list(folder) {
                let path = "\(folder)/\(name)"
                if name.hasSuffix(".swift") {
                    sources += String(decoding: try Files.read(path), as: UTF8.self)
                } else if Files.isDirectory(path), name != "Corpora" {
                    try add(path)
                }
            }
        }
        try add("\(root)/Tests")
        let names = page.replacing("\n", with: " ").matches(of: #/"([^"]+)"/#).map { String($0.1) }
        try #require(names.count > 40)
        for name in names where !sources.contains("\"\(name)\"") {
            Issue.record("docs/security.md names the test '\(name)': there is none")
        }
        let rows = page.split(separator: "\n").compactMap { line -> (Int, String)? in
            let cells = line.split(separator: "|").map { $0.filter { $0 != " " } }
            return cells.count >= 3 ? Int(cells[0]).map { ($0, cells[2]) } : nil
        }
        #expect(rows.map(\.0) == Array(1...25))
        #expect(rows.allSatisfy { $0.1.count > 20 })
    }
}
