import Glibc
import Synchronization
import Testing
import VoltSystem
import VoltTestKit

@Suite struct FileLockTests {
    @Test("whoever waits for a lock whose file is removed by its holder gets it alone")
    func removal() throws {
        let scratch = try ScratchDirectory()
        let path = "\(scratch.path)/lock"
        let inside = Atomic(0)
        let most = Atomic(0)
        let rounds = Atomic(0)
        DispatchQueues.concurrently(8) {
            for _ in 0..<200 {
                guard let lock = try? FileLock.wait(for: path) else { return }
                let now = inside.add(1, ordering: .relaxed).newValue
                if now > 1 { most.store(now, ordering: .relaxed) }
                rounds.add(1, ordering: .relaxed)
                inside.subtract(1, ordering: .relaxed)
                lock.removeFile(path)
            }
        }
        #expect(most.load(ordering: .relaxed) == 0)
        #expect(rounds.load(ordering: .relaxed) == 1600)
        #expect(!Files.exists(path))
        let first = try FileLock.wait(for: path)
        #expect(try FileLock.tryLock(path) == nil)
        first.keep()
    }
}

private enum DispatchQueues {
    /// Runs a body on so many threads at once.
    static func concurrently(_ count: Int, _ body: @escaping @Sendable () -> Void) {
        final class Box {
            let body: @Sendable () -> Void; init(_ body: @escaping @Sendable () -> Void) { self.body = body }
        }
        var threads = [pthread_t](repeating: pthread_t(), count: count)
        for index in threads.indices {
            pthread_create(
                &threads[index], nil,
                { pointer in
                    if let pointer { Unmanaged<Box>.fromOpaque(pointer).takeRetainedValue().body() }
                    return nil
                }, Unmanaged.passRetained(Box(body)).toOpaque())
        }
        for thread in threads { pthread_join(thread, nil) }
    }
}
