internal import CVoltSystem
internal import Glibc
public import VoltCore
internal import VoltSystem

/// Where another store is: `/srv/cas`, `ssh://backup@host:22/srv/cas`, `backup@host:/srv/cas`, `unix:/run/cas.sock`.
public struct RemoteAddress: Sendable, Equatable, CustomStringConvertible {
    enum Place: Sendable, Equatable {
        case directory(String)
        case socket(String)
        /// The options and the host as ssh takes them, and the directory there.
        case ssh(words: [String], path: String)
    }

    let place: Place
    /// As it was written.
    public let description: String
    private let environment: [String: String]

    /// Parses an address.
    ///
    /// - Parameter environment: for ssh, which is searched on its `PATH`.
    /// - Throws: `VoltError` with code `usage`.
    public init(_ text: String, environment: [String: String]) throws(VoltError) {
        description = text
        self.environment = environment
        let failure = VoltError(
            .usage, "'\(text)' is not the place of a store",
            hint:
                "write a directory, user@host:/directory, ssh://user@host:port/directory or unix:/path/of/socket"
        )
        guard !text.isEmpty, !text.utf8.contains(0) else { throw failure }
        if text.hasPrefix("unix:") {
            let path = String(text.dropFirst(5))
            guard path.hasPrefix("/"), path.utf8.count < 108 else { throw failure }
            place = .socket(path)
        } else if text.hasPrefix("ssh://") {
            let rest = text.dropFirst(6)
            guard let slash = rest.firstIndex(of: "/") else { throw failure }
            var host = String(rest[..<slash])
            var words: [String] = []
            if let colon = host.lastIndex(of: ":"), !host.hasSuffix("]") {
                guard let port = UInt16(host[host.index(after: colon)...]), port > 0 else { throw failure }
                words = ["-p", "\(port)"]
                host = String(host[..<colon])
            }
            if let open = host.firstIndex(of: "["), host.hasSuffix("]") {
                host = String(host[..<open]) + host[host.index(after: open)...].dropLast()
            }
            guard Self.isHost(host) else { throw failure }
            place = .ssh(words: words + ["--", host], path: String(rest[slash...]))
        } else if text.hasPrefix("/") || text.hasPrefix(".") {
            place = .directory(Files.absolute(text, from: Files.currentDirectory))
        } else if let colon = text.firstIndex(of: ":") {
            // As scp has it.
            let host = String(text[..<colon])
            let path = String(text[text.index(after: colon)...])
            guard Self.isHost(host), !path.isEmpty, !path.hasPrefix("/") || path.count > 1,
                !text.contains("://")
            else { throw failure }
            place = .ssh(words: ["--", host], path: path)
        } else {
            place = .directory(Files.absolute(text, from: Files.currentDirectory))
        }
    }

    private static func isHost(_ text: String) -> Bool {
        !text.isEmpty && !text.hasPrefix("-") && !text.contains("/")
            && text.utf8.allSatisfy { $0 > 32 && $0 < 127 && $0 != UInt8(ascii: "'") }
    }

    /// Opens the way to the store, and hears its greeting.
    ///
    /// - Returns: the stream, and what to wait for at its end.
    func connect(reading: Bool) throws -> (peer: Peer, helper: Int32?) {
        // Who stops reading is an error of writing, and no end of this process.
        signal(SIGPIPE, SIG_IGN)
        switch place {
        case .directory(let path):
            let store = try ContentStore.open(path)
            var pair: [Int32] = [-1, -1]
            guard volt_stream_pair(&pair) == 0 else {
                throw SystemError.current.during("cannot make a socket")
            }
            let mine = pair[0]
            StoreServer.serveInThread(store, pair[1], reading ? .reading : .writing)
            return (try greeted(Peer(input: mine, output: mine, name: description)), nil)
        case .socket(let path):
            let descriptor = volt_unix_stream_connect(path)
            guard descriptor >= 0 else { throw SystemError.current.during("cannot connect to '\(path)'") }
            return (try greeted(Peer(input: descriptor, output: descriptor, name: description)), nil)
        case .ssh(let words, let path):
            guard let ssh = ChildProgram.find("ssh", path: environment["PATH"] ?? "/usr/bin:/bin")
            else {
                throw VoltError(.missing, "ssh is not installed", hint: "install the package openssh-client")
            }
            var pair: [Int32] = [-1, -1]
            guard volt_stream_pair(&pair) == 0 else {
                throw SystemError.current.during("cannot make a socket")
            }
            // The shell of the other host reads it.
            let quoted = "'" + path.replacing("'", with: "'\\''") + "'"
            let command = "volt-cas serve --stdio\(reading ? " --read-only" : "") --store \(quoted)"
            let pid: Int32
            do throws(VoltError) {
                pid = try Processes.spawnDetached(
                    ssh, words + [command], environment: environment,
                    descriptors: [0: pair[1], 1: pair[1], 2: 2])
            } catch {
                close(pair[0])
                close(pair[1])
                throw error
            }
            // With it open here the end of ssh would not be seen.
            close(pair[1])
            return (try greeted(Peer(input: pair[0], output: pair[0], name: description)), pid)
        }
    }

    private func greeted(_ peer: Peer) throws -> Peer {
        try peer.greet()
        return peer
    }
}
