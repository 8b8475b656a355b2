import VoltCore
import VoltRollout
import VoltSystem
import VoltWorkload

/// The smallest kind: an instance is a file with the text of the manifest. A text with `bad` in it is unhealthy, and one
/// with `ended` has ended.
struct NoteKind: RolloutRuntime {
    struct Note: Sendable, Equatable {
        var workload: Name
        var text: String
    }

    let directory: String

    func prepare(_ request: WorkloadRequest, log: @escaping @Sendable (String, String) -> Void) async throws
        -> RolloutPlan<Note>
    {
        let text = String(decoding: try Files.read(request.file, limit: 4096), as: UTF8.self)
        return RolloutPlan(
            spec: Note(workload: request.workload, text: text), fingerprint: Self.digest(text),
            checksHealth: true)
    }

    func instances(of workload: Name) async throws -> [Name] {
        guard Files.isDirectory(directory) else { return [] }
        return try Files.list(directory).compactMap { try? Name($0) }.filter {
            $0.text.hasPrefix("\(workload)-")
        }
    }

    func state(of instance: Name) async throws -> InstanceState<Note>? {
        guard let bytes = try? Files.read("\(directory)/\(instance)") else { return nil }
        let text = String(decoding: bytes, as: UTF8.self)
        return InstanceState(
            spec: Note(workload: instance, text: text), config: Self.digest(text),
            state: text.contains("ended") ? .exited : .running,
            health: text.contains("bad") ? .unhealthy : .healthy)
    }

    func start(_ note: Note, as instance: Name) async throws -> Digest {
        try Files.makeDirectory(directory)
        try Files.replace("\(directory)/\(instance)", with: note.text.utf8)
        return Self.digest(note.text)
    }

    func publish(_ workload: Name, to instance: Name) async throws {
        guard try await state(of: instance)?.state == .running else {
            throw VoltError(.conflict, "'\(instance)' does not run")
        }
    }

    func remove(_ instance: Name) async throws { try Files.remove("\(directory)/\(instance)") }

    /// Not a digest that one would use; the test tells texts apart.
    private static func digest(_ text: String) -> Digest {
        Digest(sha256: (Array(text.utf8) + [UInt8](repeating: 0, count: 32)).prefix(32))
    }
}
