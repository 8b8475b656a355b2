import Testing
import VoltSystem
import VoltTestKit

@Suite struct LinkTests {
    /// The pages of the repository, by their path from its root.
    private func pages() throws -> [String: String] {
        let root = Golden.root()
        var pages: [String: String] = [:]
        func add(_ folder: String) throws {
            for name in try Files.list("\(root)/\(folder)") where !name.hasPrefix(".") {
                let path = folder.isEmpty ? name : "\(folder)/\(name)"
                if name.hasSuffix(".md") {
                    pages[path] = String(decoding: try Files.read("\(root)/\(path)"), as: UTF8.self)
                } else if Files.isDirectory("\(root)/\(path)"), name != "Sources", name != "Tests" {
                    try add(path)
                }
            }
        }
        try add("")
        return pages
    }

    private func anchors(_ page: String) -> Set<String> {
        var isCode = false
        var anchors: Set<String> = []
        for line in page.split(separator: "\n") {
            if line.hasPrefix("```") { isCode.toggle() }
            guard !isCode, line.hasPrefix("#") else { continue }
            let heading = line.drop { $0 == "#" }.drop { $0 == " " }
            anchors.insert(Reference.anchor(heading.replacing("`", with: "")))
        }
        return anchors
    }

    @Test("every link between the pages leads to a file and a heading")
    func links() throws {
        let pages = try pages()
        try #require(pages.count > 5)
        for (path, text) in pages {
            for match in text.matches(of: #/\]\(([^)\s]+)\)/#) {
                let target = match.1
                if target.contains("://") || target.hasPrefix("mailto:") { continue }
                let parts = target.split(separator: "#", maxSplits: 1, omittingEmptySubsequences: false)
                let file =
                    parts[0].isEmpty
                    ? path
                    : String(Files.absolute(String(parts[0]), from: "/" + Files.parent(of: path)).dropFirst())
                if !Files.exists("\(Golden.root())/\(file)") {
                    Issue.record("\(path) links to '\(target)': there is no such file")
                } else if parts.count == 2, let page = pages[file], !anchors(page).contains(String(parts[1]))
                {
                    Issue.record("\(path) links to '\(target)': there is no such heading")
                }
            }
        }
    }

    @Test(
        "the headings that others link to are there",
        arguments: [
            ("docs/cli-reference.md", "volt-gitops--gitops-pipelines"),
            ("docs/architecture.md", "gitops-pipeline"),
            ("docs/networking.md", "ingress-proxy"), ("docs/gitops.md", "troubleshooting"),
        ])
    func headings(page: String, anchor: String) throws {
        #expect(try anchors(#require(pages()[page])).contains(anchor))
    }
}
