import Glibc
import Testing
import VoltSystem
import VoltTestKit

/// `volt-registry serve` as a process of its own.
final class ServerProcess {
    let run: ToolRunner
    let store: String
    let port: UInt16
    private let log: String
    private var pid: Int32

    init(_ run: ToolRunner, store: String, _ options: [String] = []) throws {
        self.run = run
        self.store = store
        log = "\(run.directory)/serve-\(UInt32.random(in: 0...UInt32.max)).log"
        let descriptor = creat(log, 0o600)
        defer { close(descriptor) }
        pid = try Processes.spawnDetached(
            "\(ToolRunner.products)/volt-registry", ["serve", "--port", "0", "--store", store] + options,
            environment: run.environment, descriptors: [1: descriptor, 2: descriptor])
        var text = ""
        for _ in 0..<2000 where !text.contains("listening on ") {
            text = String(decoding: try Files.read(log), as: UTF8.self)
            usleep(5000)
        }
        let address = text.split(separator: "listening on ").dropFirst().first?.prefix { $0 != "," } ?? ""
        port = UInt16(address.split(separator: ":").last ?? "") ?? 0
    }

    /// What it said.
    var said: String { (try? Files.read(log)).map { String(decoding: $0, as: UTF8.self) } ?? "" }

    func signal(_ signal: Int32) { kill(pid, signal) }

    /// Ends it; what waitpid(2) says of it.
    @discardableResult
    func end(_ signal: Int32) -> Int32 {
        guard pid > 0 else { return 0 }
        kill(pid, signal)
        var status: Int32 = 0
        while waitpid(pid, &status, 0) < 0, errno == EINTR {}
        pid = 0
        return status
    }

    deinit { end(SIGKILL) }
}
