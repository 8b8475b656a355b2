internal import FoundationEssentials
internal import VoltCore
internal import VoltSystem
internal import VoltWorkload

/// Asks the tool of a kind what a workload is now.
struct WorkloadProbe {
    /// The absolute path of `volt-<kind>`.
    let tool: String
    let environment: [String: String]

    /// The state of a workload; nil when the tool does not say.
    func status(of workload: Name) -> WorkloadStatus? {
        guard
            let child = try? Child.start(
                tool, ["status", "--workload", workload.text, "-o", "json"], environment: environment)
        else { return nil }
        var text = ""
        let outcome = child.finish(limit: .seconds(30)) { stream, line in
            if stream == .stdout, text.utf8.count < 1 << 16 { text += line + "\n" }
        }
        guard outcome == .exited(0) else { return nil }
        return try? JSONDecoder().decode(WorkloadStatus.self, from: Data(text.utf8))
    }
}
