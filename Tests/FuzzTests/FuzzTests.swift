import FuzzTargets
import Glibc
import Testing
import VoltCore
import VoltSystem
import VoltTestKit

extension FuzzTarget: CustomTestStringConvertible {
    package var testDescription: String { name }

    /// The files of the corpus.
    fileprivate func corpus() throws -> [(name: String, bytes: [UInt8])] {
        let folder = "\(Golden.root())/Tests/FuzzTests/Corpora/\(name)"
        return try Files.list(folder).sorted().map { ($0, try Files.read("\(folder)/\($0)")) }
    }
}

/// The short run; `make fuzz` goes on for longer and is led by the coverage.
@Suite struct FuzzTests {
    /// How many inputs of each target.
    private static let inputs = 3000

    @Test("every file of a corpus is read, and what must hold does", arguments: FuzzTarget.all)
    func corpus(target: FuzzTarget) throws {
        let corpus = try target.corpus()
        #expect(corpus.count >= 3)
        for (name, bytes) in corpus {
            #expect(throws: Never.self, "\(target.name)/\(name)") { try target.run(bytes) }
        }
    }

    @Test("nothing made of a corpus ends the process or breaks what must hold", arguments: FuzzTarget.all)
    func mutations(target: FuzzTarget) throws {
        let seed: UInt64 = 20_260_823
        var mutator = Mutator(
            seed: seed, words: target.words, corpus: try target.corpus().map(\.bytes))
        let last = LastInput(target.name)
        defer { last.remove() }
        for number in 0..<Self.inputs {
            let input = mutator.next()
            last.keep(input)
            do { try target.run(input) } catch {
                Issue.record("input \(number) of seed \(seed): \(error): \(input)")
                return
            }
        }
    }
}

/// The input that is being read, in a file that survives a trap: mapped, so that it costs no system call.
private struct LastInput {
    private static let size = 1 << 20
    private let path: String
    private let memory: UnsafeMutableRawPointer?

    init(_ target: String) {
        path = "\(Environment.current["TMPDIR"] ?? "/tmp")/volt-fuzz-\(target)-\(getpid())"
        let file = open(path, O_RDWR | O_CREAT, 0o600)
        ftruncate(file, off_t(Self.size))
        let mapped = mmap(nil, Self.size, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0)
        close(file)
        memory = mapped == MAP_FAILED ? nil : mapped
    }

    /// Keeps an input after its length in eight bytes.
    func keep(_ input: [UInt8]) {
        guard let memory, input.count <= Self.size - 8 else { return }
        memory.storeBytes(of: UInt64(input.count), as: UInt64.self)
        input.withUnsafeBytes { bytes in
            guard let start = bytes.baseAddress else { return }
            memcpy(memory + 8, start, bytes.count)
        }
    }

    func remove() {
        if let memory { munmap(memory, Self.size) }
        unlink(path)
    }
}
