import Testing
import VoltSystem
import VoltTestKit

/// What keeps descriptors from programs that they were not given to: few places start programs, and everything is
/// opened close-on-exec.
@Suite struct DescriptorTests {
    private let files: [(path: String, lines: [Substring])]

    init() throws {
        let root = Golden.root()
        func paths(_ folder: String) throws -> [String] {
            try Files.list("\(root)/\(folder)").flatMap { name in
                let path = "\(folder)/\(name)"
                if Files.isDirectory("\(root)/\(path)") { return try paths(path) }
                return name.hasSuffix(".swift") || name.hasSuffix(".c") ? [path] : []
            }
        }
        files = try paths("Sources").filter { !$0.contains("/TestKit/") }.map { path in
            let text = String(decoding: try Files.read("\(root)/\(path)"), as: UTF8.self)
            return (path, text.split(separator: "\n", omittingEmptySubsequences: false))
        }
        try #require(files.count > 50)
    }

    /// Calls of C functions of these names, with the code behind them.
    private func calls(_ names: Set<String>) -> [(place: String, path: String, code: Substring)] {
        var calls: [(place: String, path: String, code: Substring)] = []
        for file in files {
            for (number, line) in file.lines.enumerated() where line.utf8.contains(UInt8(ascii: "(")) {
                let text = line.utf8
                var rest = text[...]
                while let parenthesis = rest.firstIndex(of: UInt8(ascii: "(")) {
                    rest = text[text.index(after: parenthesis)...]
                    let before = text[..<parenthesis]
                    let start =
                        before.lastIndex { !Self.isNameByte($0) }.map { text.index(after: $0) }
                        ?? text.startIndex
                    guard names.contains(String(line[start..<parenthesis])) else { continue }
                    // Not a comment, a method of something, or a declaration.
                    let front = line[..<start]
                    let isMethod = front.hasSuffix(".") && !front.hasSuffix("Glibc.")
                    guard !isMethod, !front.hasSuffix("func "), !front.contains("//") else { continue }
                    calls.append(("\(file.path):\(number + 1)", file.path, line[start...]))
                }
            }
        }
        return calls
    }

    private static func isNameByte(_ byte: UInt8) -> Bool {
        (48...57).contains(byte) || (65...90).contains(byte) || (97...122).contains(byte)
            || byte == UInt8(ascii: "_")
    }

    @Test("programs are started where what was not given is closed")
    func starts() {
        let known = [
            // Each of these closes; tests of their own list what children have.
            "Sources/VoltKit/C/CVoltSystem/exec.c", "Sources/VoltKit/C/CVoltSystem/system.c",
            "Sources/VoltKit/System/Processes.swift", "Sources/VoltKit/System/Processes+Foreground.swift",
            "Sources/VoltKit/Sandbox/Confinement.swift", "Sources/VoltKit/Supervise/ProcessLauncher.swift",
            "Sources/volt-container/run/Launch.swift",
        ]
        let names: Set = [
            "posix_spawn", "posix_spawnp", "execve", "execv", "execvp", "execveat", "fexecve", "popen",
            "system",
        ]
        for call in calls(names) where !known.contains(call.path) {
            Issue.record("\(call.place) starts a program by itself: use Processes, Child or ChildProgram")
        }
    }

    @Test("what is opened is close-on-exec")
    func opened() {
        // With their flags on the same line.
        let flagged: Set = [
            "open", "openat", "socket", "accept4", "pipe2", "memfd_create", "epoll_create1", "signalfd",
            "dup3",
            "mkostemp", "socketpair", "eventfd", "inotify_init1", "timerfd_create",
        ]
        for call in calls(flagged)
        where !call.code.contains("CLOEXEC") && (call.path.hasSuffix(".c") || call.code.contains("O_")) {
            // Methods of the same name take a path of a tree, and open by openat2(2) with O_CLOEXEC.
            if call.path.contains("/Archive/Tree") || call.path.contains("/Store/Trees/") { continue }
            // The standard streams, which programs that are started are to have.
            if call.path.hasSuffix("/CVoltSystem/standard.c") { continue }
            Issue.record("\(call.place) opens without close-on-exec: \(call.code)")
        }
        // In Swift some of these are names of methods.
        for call in calls(["dup", "accept", "pipe", "creat", "fopen", "mkstemp", "epoll_create"])
        where call.path.hasSuffix(".c") || !call.code.hasPrefix("accept(") && !call.code.hasPrefix("pipe(") {
            Issue.record("\(call.place) opens without close-on-exec: \(call.code)")
        }
    }
}
