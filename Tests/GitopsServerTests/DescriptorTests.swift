import GitopsEngine
import Glibc
import Testing
import VoltSystem
import VoltTestKit

/// What a server has open stays its own, so that whatever it starts can outlive it.
@Suite(.serialized, .timeLimit(.minutes(2))) struct DescriptorTests {
    /// A shell line that notes the descriptors of itself and of its parent.
    private func note(_ host: Host, _ name: String, parent: Bool) -> String {
        let pids = parent ? "self $PPID" : "self"
        return "for p in \(pids); do ls -l /proc/$p/fd; done >>\"\(host.directory)/fds-\(name)\" 2>/dev/null"
    }

    private func noted(_ host: Host, _ name: String) throws -> String {
        String(decoding: try Files.read("\(host.directory)/fds-\(name)"), as: UTF8.self)
    }

    /// Puts a line into the tool of the workloads.
    private func probe(_ host: Host, _ line: String) throws {
        let path = "\(host.directory)/bin/volt-probe"
        let text = String(decoding: try Files.read(path), as: UTF8.self)
        try Files.replace(
            path, with: text.replacing("#!/bin/sh\n", with: "#!/bin/sh\n\(line)\n").utf8, mode: 0o755)
    }

    @Test(
        "a stopped or killed server starts again at once, while what it has started goes on",
        arguments: [
            SIGTERM, SIGKILL,
        ])
    func again(signal: Int32) throws {
        let host = try Host()
        // As a container without systemd: it goes on when whoever started it has ended.
        try probe(
            host,
            "[ \"$1\" != apply ] || { setsid sh -c 'echo $$ >>\"$PROBE/left\"; exec sleep 1000' </dev/null >/dev/null 2>&1 & }"
        )
        try host.createSite()
        let first = try Serve(host)
        let commit = try host.commit("two")
        #expect(try host.deliver(commit, to: first) == 202)
        try host.wait("for the deploy") { try host.history().first?.state == .done }
        let left = try Files.read("\(host.directory)/left")
        let pids = String(decoding: left, as: UTF8.self).split(separator: "\n").compactMap { Int32($0) }
        defer { for pid in pids { kill(pid, SIGKILL) } }
        try #require(!pids.isEmpty && pids.allSatisfy(Processes.isAlive))
        let port = first.port
        first.end(signal)
        // On the very same port.
        let second = try Serve(host, with: ["--port", "\(port)"])
        #expect(second.port == port)
        #expect(try second.request("GET", "/healthz").status == 200)
        #expect(pids.allSatisfy(Processes.isAlive))
    }

    /// The descriptors of the worker that a server has started, once there is one.
    private func worker(of server: Serve, _ host: Host) throws -> [String] {
        var links: [String] = []
        try host.wait("for the worker") {
            for pid in try Files.list("/proc") where Int32(pid) != nil {
                let line = (try? Files.read("/proc/\(pid)/cmdline", limit: 4096)) ?? []
                let status = String(
                    decoding: (try? Files.read("/proc/\(pid)/status", limit: 8192)) ?? [], as: UTF8.self)
                guard String(decoding: line, as: UTF8.self).contains("volt-gitops--worker"),
                    status.contains("PPid:\t\(server.pid)\n")
                else { continue }
                links = (try? Files.list("/proc/\(pid)/fd"))?.map { Self.link("/proc/\(pid)/fd/\($0)") } ?? []
            }
            // It waits there.
            return links.contains { $0.hasSuffix("/lock") }
        }
        return links
    }

    private static func link(_ path: String) -> String {
        var buffer = [CChar](repeating: 0, count: 4096)
        let count = readlink(path, &buffer, buffer.count)
        return String(decoding: buffer.prefix(max(0, count)).map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    @Test("the server's sockets, epolls and journal are in none of its children")
    func children() throws {
        let host = try Host()
        try probe(host, note(host, "apply", parent: false))
        try Files.replace(
            "\(host.directory)/bin/sendmail",
            with: "#!/bin/sh\n\(note(host, "sendmail", parent: true))\ncat >/dev/null\n".utf8, mode: 0o755)
        // The messenger is nobody.
        try Files.setMode(host.directory, 0o755)
        try Files.replace("\(host.directory)/fds-sendmail", with: [])
        try Files.setMode("\(host.directory)/fds-sendmail", 0o666)
        try Files.replace("\(host.directory)/addresses", with: "mailto:ops@example.org\n".utf8)
        try host.createSite("--notify-file", "\(host.directory)/addresses")
        #expect(try host.gitops("sync", "--name", "site").status == 0)
        let mirrors = "\(host.directory)/root/lib/gitops/mirrors"
        let lock = try FileLock.wait(for: "\(mirrors)/\(try #require(try Files.list(mirrors).first))/lock")
        let server = try Serve(host)
        #expect(try host.deliver(try host.commit("two"), to: server) == 202)
        let fetching = try worker(of: server, host)
        _ = consume lock
        try host.wait("for the deploy") { try host.history().first?.state == .done }
        try host.wait("for the mail") { try !noted(host, "sendmail").isEmpty }
        for (name, text) in [
            ("worker", fetching.joined(separator: "\n")), ("apply", try noted(host, "apply")),
            ("sendmail", try noted(host, "sendmail")),
        ] {
            #expect(text.contains("pipe:"), "\(name): \(text)")
            for word in ["socket:", "eventpoll", "/root/lib/gitops/journal", "/root/lib/gitops/lock"] {
                #expect(!text.contains(word), "\(name) has '\(word)':\n\(text)")
            }
        }
        #expect(server.end(SIGTERM) == 0)
    }
}
