internal import CVoltSystem
internal import Glibc
public import VoltCore

/// Replaces this process by an extension, by the contract: exit code, signals, terminal and job control
/// then belong to the extension.
public enum Launcher {
    /// The variables of this process as `NAME=value`, as bytes.
    public static var environment: [[UInt8]] {
        var entries: [[UInt8]] = []
        guard var entry = volt_environ() else { return entries }
        while let text = entry.pointee {
            entries.append(bytes(of: UnsafePointer(text)))
            entry += 1
        }
        return entries
    }

    /// The words of the command line, as bytes. `CommandLine.arguments` repairs what is not UTF-8, which
    /// would change the names of files.
    public static var words: [[UInt8]] {
        (0..<Int(CommandLine.argc)).compactMap { index in
            CommandLine.unsafeArgv[index].map { bytes(of: UnsafePointer($0)) }
        }
    }

    /// The path of this program, from `/proc/self/exe`; empty when there is no /proc.
    public static var selfPath: [UInt8] {
        var buffer = [UInt8](repeating: 0, count: 4096)
        let count = buffer.withUnsafeMutableBytes { space in
            space.bindMemory(to: CChar.self).baseAddress.map { readlink("/proc/self/exe", $0, space.count) }
                ?? -1
        }
        guard count > 0 else { return [] }
        let path = Array(buffer[..<count])
        // What the kernel says of a program that was replaced while it ran, as by an upgrade.
        let suffix = Array(" (deleted)".utf8)
        return path.suffix(suffix.count).elementsEqual(suffix) ? path.dropLast(suffix.count) : path
    }

    /// An environment with some variables set, each once; everything else stays as it is.
    public static func environment(
        _ inherited: [[UInt8]], setting variables: [(name: String, value: [UInt8])]
    )
        -> [[UInt8]]
    {
        let added = variables.map { Array("\($0.name)=".utf8) }
        return inherited.filter { entry in !added.contains { entry.starts(with: $0) } }
            + zip(added, variables).map { $0 + $1.value }
    }

    /// The value of a variable; the first counts, as for getenv(3).
    public static func value(of name: String, in environment: [[UInt8]]) -> [UInt8]? {
        let start = Array("\(name)=".utf8)
        return environment.first { $0.starts(with: start) }.map { Array($0.dropFirst(start.count)) }
    }

    /// Runs a program in place of this one.
    ///
    /// - Parameters:
    ///   - path: its absolute path, also argv[0].
    ///   - words: what comes after argv[0], passed on byte for byte.
    ///   - environment: the whole environment.
    /// - Returns: only when the program cannot be run; code `cannotRun`, with the file and the reason.
    public static func execute(_ path: [UInt8], _ words: [[UInt8]], environment: [[UInt8]]) -> VoltError {
        let inherited = inheritedDescriptors(words: words, environment: environment)
        let number = withCStrings([path] + words) { argv in
            withCStrings(environment) { envp in
                volt_exec(path.map { CChar(bitPattern: $0) } + [0], argv, envp, inherited, inherited.count)
            }
        }
        return ExecFailure.explain(path, number)
    }

    /// The descriptors above 2 that the caller hands on by name: `/dev/fd/63` of a shell's `<(…)`, and the
    /// sockets of sd_listen_fds(3). All others are closed.
    static func inheritedDescriptors(words: [[UInt8]], environment: [[UInt8]]) -> [Int32] {
        var descriptors: [Int32] = []
        for word in words {
            for prefix in ["/dev/fd/", "/proc/self/fd/"] {
                guard let start = word.firstRange(of: prefix.utf8)?.upperBound else { continue }
                let digits = word[start...].prefix { (0x30...0x39).contains($0) }
                if let number = Int32(String(decoding: digits, as: UTF8.self)), number > 2 {
                    descriptors.append(number)
                }
            }
        }
        if let count = number("LISTEN_FDS", environment), number("LISTEN_PID", environment) == getpid(),
            (1...1024).contains(count)
        {
            descriptors += 3..<(3 + count)
        }
        return descriptors
    }

    private static func number(_ variable: String, _ environment: [[UInt8]]) -> Int32? {
        value(of: variable, in: environment).flatMap { Int32(String(decoding: $0, as: UTF8.self)) }
    }

    private static func bytes(of text: UnsafePointer<CChar>) -> [UInt8] {
        let count = strlen(text)
        return text.withMemoryRebound(to: UInt8.self, capacity: count) {
            Array(UnsafeBufferPointer(start: $0, count: count))
        }
    }
}

/// The strings as the array of pointers that execve(2) takes.
func withCStrings<Result>(
    _ strings: [[UInt8]], _ body: ([UnsafeMutablePointer<CChar>?]) -> Result
) -> Result {
    let pointers: [UnsafeMutablePointer<CChar>?] = strings.map { bytes in
        let copy = UnsafeMutablePointer<CChar>.allocate(capacity: bytes.count + 1)
        for (index, byte) in bytes.enumerated() { copy[index] = CChar(bitPattern: byte) }
        copy[bytes.count] = 0
        return copy
    }
    defer { pointers.forEach { $0?.deallocate() } }
    return body(pointers + [nil])
}
