internal import CVoltSystem
internal import Glibc

/// Where the executables `volt-<name>` are looked for. The first match wins.
///
/// 1. `VOLT_EXEC_PATH`: one absolute directory, for development and tests.
/// 2. `<prefix>/libexec/volt`, where the program that searches is `<prefix>/<directory>/<program>`.
/// 3. The directory of that program, only if it is not on PATH, so that `volt x` and `volt-x` are the
///    same command whenever both are found by the shell.
/// 4. PATH, left to right. Empty and relative entries mean the working directory and are skipped.
///
/// A match is a regular file, links followed, that this process may execute. Paths are bytes: the
/// name of a directory need not be UTF-8.
public struct PluginSearch: Sendable, Equatable {
    /// Which step of the search a directory belongs to.
    public enum Origin: String, Sendable {
        /// `--exec-path` or `VOLT_EXEC_PATH`.
        case execPath = "exec-path"
        /// `<prefix>/libexec/volt`.
        case libexec
        /// The directory of the running program.
        case sibling
        /// An entry of PATH.
        case path
    }

    /// A directory that is searched.
    public struct Directory: Sendable, Equatable {
        /// The absolute path, without a slash at its end (the root directory is empty).
        public let bytes: [UInt8]
        /// The step it belongs to.
        public let origin: Origin
    }

    /// The directories in the order of the search, each once.
    public let directories: [Directory]

    /// What PATH is when it is not set: `confstr(_CS_PATH)` of glibc.
    static let defaultPath = Array("/bin:/usr/bin".utf8)

    /// The search of a program, by the environment as text.
    ///
    /// - Parameters:
    ///   - environment: for `VOLT_EXEC_PATH` and `PATH`.
    ///   - selfPath: the absolute path of the running program, from `/proc/self/exe`; never argv[0].
    public init(environment: [String: String], selfPath: String) {
        self.init(
            execPath: volt_at_secure() == 1 ? nil : environment["VOLT_EXEC_PATH"].map { Array($0.utf8) },
            path: environment["PATH"].map { Array($0.utf8) }, selfPath: Array(selfPath.utf8))
    }

    /// The search by the bytes of its inputs.
    ///
    /// - Parameters:
    ///   - execPath: the directory of step 1; nil, empty and relative ones are passed over.
    ///   - path: the value of PATH; nil when it is not set.
    ///   - selfPath: the absolute path of the running program; empty when it is not known.
    public init(execPath: [UInt8]?, path: [UInt8]?, selfPath: [UInt8]) {
        let entries = (path ?? Self.defaultPath).split(separator: UInt8(ascii: ":")).filter(Self.isAbsolute)
            .map(Self.normalized)
        var found: [Directory] = []
        func add(_ bytes: [UInt8], _ origin: Origin) {
            if !found.contains(where: { $0.bytes == bytes }) {
                found.append(Directory(bytes: bytes, origin: origin))
            }
        }
        if let execPath, Self.isAbsolute(execPath[...]) { add(Self.normalized(execPath[...]), .execPath) }
        if Self.isAbsolute(selfPath[...]) {
            let own = Self.parent(Self.normalized(selfPath[...]))
            add(Self.parent(own) + Array("/libexec/volt".utf8), .libexec)
            if !entries.contains(own) { add(own, .sibling) }
        }
        for entry in entries { add(entry, .path) }
        directories = found
    }

    /// The absolute path of `volt-<name>`, or nil when there is none or the name breaks the rule.
    ///
    /// - Parameter name: the subsystem, such as `container`.
    public func path(of name: String) -> String? { first(name)?.path }

    /// The first match, with one `stat` a directory on the way to it.
    public func first(_ name: String) -> Candidate? {
        guard ToolName.isValid(name) else { return nil }
        for directory in directories {
            if let candidate = Candidate(name, in: directory), candidate.problem == nil { return candidate }
        }
        return nil
    }

    /// Every file of that name that the search passes, also those that cannot be run.
    ///
    /// A directory that is reached by two names (`/bin` and `/usr/bin` on a merged system) counts once.
    public func all(_ name: String) -> [Candidate] {
        guard ToolName.isValid(name) else { return [] }
        var seen: [FileIdentity] = []
        return directories.compactMap { directory in
            guard let candidate = Candidate(name, in: directory) else { return nil }
            if let identity = FileIdentity(
                of: directory.bytes.isEmpty ? [UInt8(ascii: "/")] : directory.bytes)
            {
                if seen.contains(identity) { return nil }
                seen.append(identity)
            }
            return candidate
        }
    }

    private static func isAbsolute(_ bytes: ArraySlice<UInt8>) -> Bool { bytes.first == UInt8(ascii: "/") }

    /// Drops empty components and `.`; `..` stays, since its meaning depends on links.
    private static func normalized(_ bytes: ArraySlice<UInt8>) -> [UInt8] {
        var result: [UInt8] = []
        result.reserveCapacity(bytes.count)
        for component in bytes.split(separator: UInt8(ascii: "/")) where !component.elementsEqual(".".utf8) {
            result.append(UInt8(ascii: "/"))
            result.append(contentsOf: component)
        }
        return result
    }

    private static func parent(_ bytes: [UInt8]) -> [UInt8] {
        guard let slash = bytes.lastIndex(of: UInt8(ascii: "/")) else { return [] }
        return Array(bytes[..<slash])
    }
}
