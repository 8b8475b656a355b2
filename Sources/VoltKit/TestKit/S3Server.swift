internal import Glibc
internal import VoltSystem

/// An S3 server that others made (moto), on a port of the loopback. `scripts/setup test` installs it.
public final class S3Server: Sendable {
    /// Its port.
    public let port: UInt16
    private let pid: Int32

    /// Where the program is.
    public static var program: String {
        "\(Files.parent(of: Files.parent(of: Files.parent(of: ToolRunner.products))))/.build/moto/bin/moto_server"
    }

    /// Whether it is installed.
    public static var isThere: Bool { Files.exists(program) }

    /// - Parameters:
    ///   - directory: for what it says.
    ///   - checks: whether signatures are checked, after so many requests.
    public init(in directory: String, checksAfter checks: Int? = nil) throws {
        port = LoopbackPort.free()
        let log = creat("\(directory)/s3.log", 0o600)
        defer { close(log) }
        var environment = ["PATH": "/usr/bin:/bin"]
        environment["INITIAL_NO_AUTH_ACTION_COUNT"] = checks.map { String($0) }
        pid = try Processes.spawnDetached(
            Self.program, ["-H", "127.0.0.1", "-p", "\(port)"], environment: environment,
            descriptors: [1: log, 2: log])
        for _ in 0..<2000 {
            if (try? HTTPClient(port: port, timeoutSeconds: 5).request("GET", "/moto-api/")) != nil { return }
            usleep(10_000)
        }
        throw HTTPClient.Failure(description: "the S3 server does not start")
    }

    deinit {
        kill(pid, SIGKILL)
        waitpid(pid, nil, 0)
    }
}
