import GitopsSource
import Synchronization
import VoltCore
import VoltGit
import VoltSystem

/// Asks an SSH server for its host key, and tells it nothing.
struct HostKeyJob {
    private let request: SourceRequest
    private let events: EventWriter

    init(_ request: SourceRequest, events: EventWriter) {
        self.request = request
        self.events = events
    }

    func run() throws {
        let repository = request.repository
        let url = try RepositoryURL(
            repository.url, system: .git,
            policy: .init(allowsHTTP: repository.allowsHTTP, allowsFile: repository.allowsFile))
        guard url.transport == .ssh else {
            throw VoltError(
                .usage, "'\(url.text)' has no host key",
                hint: "--scan-host-key is for ssh:// and user@host:path")
        }
        let mirror = try MirrorDirectory(request.mirror)
        // An empty home: no pinned key decides which type the server is asked for.
        let home = "\(mirror.path)/scan"
        try Files.makeDirectory(home, mode: 0o700)
        Environment.set("HOME", home)
        try GitLibrary.start(home: home, caFile: nil)
        let seen = Seen()
        let access = GitAccess(
            url: url.text, user: url.user ?? "git", credential: .none, mayBeSent: { _ in false },
            checkHostKey: { (key) throws(VoltError) in
                seen.key.withLock { $0 = key }
                throw VoltError(.refused, "the host key was asked for, and nothing else")
            }, progress: { _, _, _ in })
        do throws(VoltError) { _ = try GitRemote(access).tip(of: "refs/heads/main") } catch {
            guard let key = seen.key.withLock({ $0 }) else { throw error }
            guard let type = KnownHosts.type(of: key.bytes) else {
                throw VoltError(.failed, "'\(url.host)' showed a host key that cannot be read")
            }
            let name = KnownHosts.name(host: url.host, port: url.port ?? 22)
            return events.write(
                .hostKey(
                    host: name, type: type, fingerprint: KnownHosts.fingerprint(of: key.bytes),
                    line: KnownHosts.line(name, key: key.bytes)))
        }
        throw VoltError(.failed, "'\(url.host)' showed no host key")
    }

    /// What the callback saw, which libgit2 calls on this thread.
    private final class Seen: Sendable { let key = Mutex<GitHostKey?>(nil) }
}
