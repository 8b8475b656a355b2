internal import FoundationEssentials
public import VoltCore
internal import VoltCrypto
internal import VoltOCI
internal import VoltPlugin
internal import VoltSystem

/// The logins of Docker's configuration file, which podman, skopeo and others read as well. What is not about logins is
/// left in it as it is.
public struct DockerConfiguration: Sendable {
    /// The file that logins are written to.
    public let path: String
    /// Files that are only read, the first before the others.
    public let others: [String]
    private let environment: [String: String]

    /// Docker's key for its own registry.
    private static let hubKey = "https://index.docker.io/v1/"

    /// The files of a user.
    ///
    /// - Parameters:
    ///   - environment: for `DOCKER_CONFIG`, `HOME`, `REGISTRY_AUTH_FILE`, `XDG_RUNTIME_DIR` and `PATH`.
    ///   - file: one to use in place of Docker's.
    public init(environment: [String: String], file: String? = nil) throws(VoltError) {
        self.environment = environment
        if let file {
            path = file
            others = []
            return
        }
        var others: [String] = []
        if let file = environment["REGISTRY_AUTH_FILE"], file.hasPrefix("/") { others.append(file) }
        if let directory = environment["XDG_RUNTIME_DIR"], directory.hasPrefix("/") {
            others.append("\(directory)/containers/auth.json")
        }
        self.others = others
        if let directory = environment["DOCKER_CONFIG"], directory.hasPrefix("/") {
            path = "\(directory)/config.json"
        } else if let home = environment["HOME"], home.hasPrefix("/") {
            path = "\(home)/.docker/config.json"
        } else {
            throw VoltError(.usage, "HOME is not set", hint: "set HOME or DOCKER_CONFIG to an absolute path")
        }
    }

    // MARK: Reading

    /// Who asks a registry.
    ///
    /// - Parameter host: as references have it.
    public func account(for host: String) throws(VoltError) -> RegistryAccount {
        for file in others + [path] {
            guard let content = try Self.read(file) else { continue }
            if let helper = Self.helper(content, host) {
                if let account = try ask(helper, host) { return account }
                continue
            }
            for (key, entry) in Self.members(content["auths"]).sorted(by: { $0.key < $1.key })
            where Self.isFor(host, key) {
                if let account = try Self.account(entry, host, file) { return account }
            }
        }
        return .anonymous
    }

    private static func read(_ path: String) throws(VoltError) -> JSONValue? {
        guard Files.exists(path) else { return nil }
        let bytes = try Files.read(path, limit: JSONValue.maximumSize)
        do throws(JSONFailure) {
            return try JSONValue(bytes)
        } catch {
            throw VoltError(
                .usage, "'\(path)' is not what Docker's configuration is: \(error)",
                hint: "mend the file, or move it away and log in again")
        }
    }

    private static func members(_ value: JSONValue?) -> [String: JSONValue] {
        guard case .object(let members)? = value else { return [:] }
        return members
    }

    private static func isFor(_ host: String, _ key: String) -> Bool {
        if host == OCIReference.dockerHub {
            return [hubKey, "docker.io", "index.docker.io", "registry-1.docker.io"].contains(key)
        }
        var name = key[...]
        for scheme in ["https://", "http://"] where name.hasPrefix(scheme) {
            name = name.dropFirst(scheme.count)
        }
        return name.prefix { $0 != "/" }.lowercased() == host
    }

    private static func account(_ entry: JSONValue, _ host: String, _ file: String) throws(VoltError)
        -> RegistryAccount?
    {
        if let token = entry["identitytoken"]?.string, !token.isEmpty { return .identityToken(token) }
        if let text = entry["auth"]?.string, !text.isEmpty {
            guard let bytes = Base64.decode(text), let colon = bytes.firstIndex(of: 58) else {
                throw VoltError(
                    .usage, "the login of '\(host)' in '\(file)' cannot be read",
                    hint: "log in again with 'volt registry login \(host)'")
            }
            // Some writers end it with zeros.
            let password = bytes[(colon + 1)...].prefix { $0 != 0 }
            return .password(
                user: String(decoding: bytes[..<colon], as: UTF8.self),
                password: String(decoding: password, as: UTF8.self))
        }
        if let user = entry["username"]?.string, let password = entry["password"]?.string {
            return .password(user: user, password: password)
        }
        return nil
    }

    // MARK: Helpers (docker-credential-helpers)

    private static func helper(_ content: JSONValue, _ host: String) -> String? {
        for (key, value) in members(content["credHelpers"]) where isFor(host, key) { return value.string }
        return content["credsStore"]?.string.flatMap { $0.isEmpty ? nil : $0 }
    }

    private func run(_ helper: String, _ verb: String, _ input: String) throws(VoltError) -> (
        status: Int32, stdout: [UInt8]
    ) {
        let name = "docker-credential-\(helper)"
        guard !helper.contains("/"), let program = ChildProgram.find(name, path: environment["PATH"] ?? "")
        else {
            throw VoltError(.missing, "'\(name)' is not installed", hint: "'\(path)' wants it for logins")
        }
        let result = try ChildProgram(executable: program, environment: environment).capture(
            [verb], input: Array(input.utf8), limit: 64 << 10)
        return (result.status, result.stdout)
    }

    private static func server(_ host: String) -> String { host == OCIReference.dockerHub ? hubKey : host }

    private func ask(_ helper: String, _ host: String) throws(VoltError) -> RegistryAccount? {
        let result = try run(helper, "get", Self.server(host))
        guard result.status == 0 else { return nil }
        guard let value = try? JSONValue(result.stdout), let user = value["Username"]?.string,
            let secret = value["Secret"]?.string
        else {
            throw VoltError(.failed, "'docker-credential-\(helper)' answers with something that is no login")
        }
        return user == "<token>" ? .identityToken(secret) : .password(user: user, password: secret)
    }

    // MARK: Writing

    /// Keeps a login, with the helper where there is one.
    ///
    /// - Returns: the file or the helper that has it now.
    public func login(_ host: String, user: String, password: String) throws(VoltError) -> String {
        let content = try Self.read(path) ?? .object([:])
        if let helper = Self.helper(content, host) {
            let entry = JSONValue.object([
                "ServerURL": .string(Self.server(host)), "Username": .string(user),
                "Secret": .string(password),
            ])
            guard try run(helper, "store", entry.text()).status == 0 else {
                throw VoltError(.failed, "'docker-credential-\(helper)' does not keep the login")
            }
            return "docker-credential-\(helper)"
        }
        let auth = Base64.encode(Array("\(user):\(password)".utf8))
        try write(
            Self.changed(content, host, .object(["auth": .string(auth)])))
        return path
    }

    /// Forgets a login.
    ///
    /// - Returns: false when there was none.
    public func logout(_ host: String) throws(VoltError) -> Bool {
        guard let content = try Self.read(path) else { return false }
        if let helper = Self.helper(content, host) {
            return try run(helper, "erase", Self.server(host)).status == 0
        }
        guard Self.members(content["auths"]).contains(where: { Self.isFor(host, $0.key) }) else {
            return false
        }
        try write(Self.changed(content, host, nil))
        return true
    }

    /// The content with another entry for a host, or without one.
    private static func changed(_ content: JSONValue, _ host: String, _ entry: JSONValue?) -> JSONValue {
        var auths = members(content["auths"]).filter { !isFor(host, $0.key) }
        auths[server(host)] = entry
        var all = members(content)
        all["auths"] = .object(auths)
        return .object(all)
    }

    private func write(_ content: JSONValue) throws(VoltError) {
        try Files.makeDirectory(Files.parent(of: path), mode: 0o700)
        try Files.replace(path, with: "\(content.text(indent: ""))\n".utf8, mode: 0o600)
    }
}
