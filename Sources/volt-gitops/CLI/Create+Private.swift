import ArgumentParser
import GitopsEngine
import Glibc
import VoltCLI
import VoltCore

/// How a private repository's server is known and reached.
struct PrivateOptions: ParsableArguments {
    @Flag(help: "Ask the SSH server for its host key, print its fingerprint, and pin it when it is accepted.")
    var scanHostKey = false
    @Option(help: "The fingerprint (SHA256:…) that the host key must have to be pinned.")
    var acceptHostKey: String?
    @Option(help: "An HTTP proxy for https, such as http://proxy.example:3128.") var proxy: String?

    /// Fills the proxy, and asks for the host key.
    ///
    /// - Returns: the host key to pin; nil for none.
    func fill(_ pipeline: inout Pipeline, _ gitops: Gitops) throws(VoltError) -> ScannedHostKey? {
        if let proxy { try pipeline.use(proxy: proxy) }
        if let file = pipeline.sshKey, let advice = gitops.advice(onKey: file) {
            Output.note("warning: \(advice)")
        }
        guard scanHostKey || acceptHostKey != nil else { return nil }
        guard pipeline.knownHosts == nil else {
            throw VoltError(
                .usage, "--known-hosts names the host keys already", hint: "leave --scan-host-key out")
        }
        let key = try gitops.scanHostKey(of: pipeline)
        try Output.line("\(key.host) \(key.type) \(key.fingerprint)")
        if let acceptHostKey {
            guard acceptHostKey == key.fingerprint else {
                throw VoltError(
                    .refused,
                    "host key of '\(key.host)' is \(key.fingerprint), and not the accepted \(acceptHostKey.prefix(80))",
                    hint: "somebody may be in between: compare it with what its owner publishes")
            }
        } else if !Self.isAccepted() {
            throw VoltError(
                .refused, "the host key of '\(key.host)' was not accepted",
                hint:
                    "compare it with what its owner publishes, then add --accept-host-key \(key.fingerprint)")
        }
        pipeline.knownHosts = gitops.pinnedHostKeyFile(of: pipeline.name)
        return key
    }

    /// Asks on a terminal; anything but `yes`, and no terminal, is no.
    private static func isAccepted() -> Bool {
        guard isatty(0) == 1 else { return false }
        Output.note("Is this the fingerprint that the owner of the server publishes? Write yes to pin it:")
        return readLine() == "yes"
    }
}
