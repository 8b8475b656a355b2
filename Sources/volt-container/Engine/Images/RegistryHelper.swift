internal import ContainerTransfer
internal import FoundationEssentials
internal import Glibc
internal import VoltCore
internal import VoltOCI
internal import VoltSystem

/// The program that speaks with registries.
struct RegistryHelper {
    let environment: [String: String]
    let options: RegistryOptions

    /// Runs a task to its end.
    ///
    /// - Returns: the last thing that the helper said, which is no progress.
    func run(
        _ task: RegistryRequest.Task, of reference: OCIReference,
        progress: (_ done: UInt64, _ total: UInt64) -> Void = { _, _ in }
    ) throws(VoltError) -> RegistryReport? {
        try stream(task, of: reference) { output throws(VoltError) -> RegistryReport? in
            var answer: RegistryReport?
            var lines = LineScanner(output)
            while let line = try lines.next() {
                guard let report = try? JSONDecoder().decode(RegistryReport.self, from: Data(line)) else {
                    throw VoltError(
                        .failed, "the helper that speaks with registries says something that is no report")
                }
                if case .progress(let done, let total) = report {
                    progress(done, total)
                } else {
                    answer = report
                }
            }
            return answer
        }
    }

    /// Runs a task while its output is read.
    func stream<Value>(
        _ task: RegistryRequest.Task, of reference: OCIReference,
        _ body: (_ output: Int32) throws(VoltError) -> Value
    ) throws(VoltError) -> Value {
        let program = ChildProgram(
            executable: try Processes.helper("volt-container--registry"), environment: environment)
        let request = RegistryRequest(
            reference: reference.description, access: options.access, authFile: options.authFile, task: task)
        let outcome = try program.stream(input: try JSONFile.encode(request), body)
        // A helper that failed by itself knows why. One that a signal ended was not wanted any more, or the body tells.
        if case .failure(let error) = outcome.value, outcome.status == 0 || outcome.status > 128 {
            throw error
        }
        try Self.check(outcome.status, outcome.stderr)
        return try outcome.value.get()
    }

    /// What the helper said about its end.
    private static func check(_ status: Int32, _ stderr: String) throws(VoltError) {
        guard status != 0 else { return }
        let lines = stderr.split(separator: "\n", maxSplits: 1)
        throw VoltError(
            ExitCode(rawValue: status) ?? .failed,
            lines.first.map(String.init) ?? "the helper that speaks with registries ended with \(status)",
            hint: lines.count > 1 ? String(lines[1].filter { !$0.isNewline }) : nil)
    }
}

/// Lines of a descriptor, of at most 1 MiB.
private struct LineScanner {
    private let descriptor: Int32
    private var pending: [UInt8] = []
    private var isAtEnd = false

    init(_ descriptor: Int32) { self.descriptor = descriptor }

    mutating func next() throws(VoltError) -> [UInt8]? {
        while true {
            if let end = pending.firstIndex(of: 10) {
                let line = Array(pending[..<end])
                pending.removeSubrange(...end)
                return line
            }
            if isAtEnd { return nil }
            guard pending.count < 1 << 20 else {
                throw VoltError(.failed, "the helper that speaks with registries says too much in one line")
            }
            var part = [UInt8](repeating: 0, count: 1 << 14)
            let count = read(descriptor, &part, part.count)
            if count < 0, errno == EINTR { continue }
            guard count >= 0 else { throw SystemError.current.during("cannot read what a helper says") }
            isAtEnd = count == 0
            pending += part[..<count]
        }
    }
}
