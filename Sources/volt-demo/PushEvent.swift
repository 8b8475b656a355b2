import ArgumentParser
import VoltCLI
import VoltCore
import VoltCrypto
import VoltSystem
import VoltTestKit

struct PushEvent: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "push-event",
        abstract: "Send the event that a GitHub hook sends after a push, signed with the hook's secret.")

    @Option(help: "The payload URL of the hook, on this host.") var to: String
    @Option(help: "The clone URL of the repository.") var repo: String
    @Option(help: "The branch that was pushed.") var branch: String
    @Option(help: "The commit it points to now.") var commit: String
    @Option(help: "A file with the secret of the hook.") var secretFile: String

    @Option(help: "The id of the delivery; it comes from the commit when not given.") var delivery: String?

    func run() throws {
        guard let (port, path) = target else {
            throw VoltError(
                .usage, "'\(to)' is not a URL on this host", hint: "write http://127.0.0.1:PORT/PATH")
        }
        var secret = try Files.read(secretFile, limit: 4096)
        while secret.last == UInt8(ascii: "\n") { secret.removeLast() }
        let body = Array(try Output.json(GitHubPush(repository: repo, branch: branch, commit: commit)).utf8)
        let signature = Hex.encode(HMAC.sha256(key: secret, message: body))
        let delivery = delivery ?? "\(commit.prefix(8))-0000-4000-8000-\(commit.suffix(12))"
        let answer = try HTTPClient(port: port).request(
            "POST", path,
            headers: [
                ("Content-Type", "application/json"), ("X-GitHub-Event", "push"),
                ("X-GitHub-Delivery", delivery),
                ("X-Hub-Signature-256", "sha256=\(signature)"),
            ], body: body)
        try Output.put("\(answer.status) \(answer.text.split(separator: "\n").first ?? "")")
        guard answer.status == 202 else { throw ExitStatus(1) }
    }

    private var target: (port: UInt16, path: String)? {
        guard to.hasPrefix("http://127.0.0.1:") else { return nil }
        let rest = to.dropFirst("http://127.0.0.1:".count)
        guard let slash = rest.firstIndex(of: "/"), let port = UInt16(rest[..<slash]) else { return nil }
        return (port, String(rest[slash...]))
    }
}
