import Testing
import VoltCore
import VoltStore
import VoltSystem
import VoltTestKit

/// A scratch directory with the built tools and a store.
final class Bench: Sendable {
    private let scratch: ScratchDirectory
    let path: String
    let store: String

    init() throws {
        scratch = try ScratchDirectory()
        path = scratch.path
        store = "\(path)/store"
    }

    /// The store, made when it is not there.
    func open() throws -> ContentStore { try ContentStore.create(store) }

    var runner: ToolRunner { ToolRunner(scratch: path) }

    /// Runs a script of the shell in the scratch directory and gives what it prints.
    @discardableResult
    func shell(_ script: String) throws -> String {
        let result = try runner.run(["sh", "-euc", script])
        guard result.status == 0 else { throw VoltError(.failed, "exit \(result.status): \(result.stderr)") }
        return result.stdout
    }

    /// Runs `volt-cas` with this store.
    func cas(_ words: String...) throws -> ToolRunner.Result {
        try runner.run(["volt-cas"] + words + ["--store", store])
    }

    /// What a directory has, with all that a tree keeps of it, one name a line.
    func listing(_ directory: String) throws -> String {
        try shell(
            """
            cd '\(directory)'; find . -printf '%P %y %m %U:%G %T@ %s %n %l\\n' | grep -av '^ ' | sort
            find . -type f -exec sha256sum {} + | sort; getfattr -dhR -m - . | grep -v '^$' | sort
            find . \\( -type c -o -type b \\) -exec stat -c '%n %t:%T' {} + 2>/dev/null | sort
            """)
    }
}

/// Numbers that are the same for the same seed; the seed is in the name of the test that fails.
struct SeededGenerator: RandomNumberGenerator {
    private var state: UInt64

    init(_ seed: UInt64) { state = seed &* 0x9E37_79B9_7F4A_7C15 | 1 }

    mutating func next() -> UInt64 {
        state ^= state << 13
        state ^= state >> 7
        state ^= state << 17
        return state
    }

    mutating func bytes(_ count: Int) -> [UInt8] {
        (0..<count).map { _ in UInt8(truncatingIfNeeded: next()) }
    }
}
