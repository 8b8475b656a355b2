internal import CVoltSystem
internal import Glibc
public import VoltCore

/// The signals of a server as a descriptor that becomes readable: SIGTERM and SIGINT end it, SIGHUP has it read
/// its files again. SIGHUP stays ignored where it was (nohup), and ends a server whose terminal is gone.
public struct ServerSignal: Sendable {
    // Set once before the handlers are installed; a handler may only make calls that are safe in one.
    nonisolated(unsafe) private static var pipe: Int32 = -1

    /// Readable when a signal has come.
    public let descriptor: Int32
    private let hadTerminal: Bool

    /// Takes the signals over.
    public static func install() throws(VoltError) -> ServerSignal {
        var ends: [Int32] = [-1, -1]
        guard volt_pipe(&ends) == 0 else { throw SystemError.current.during("cannot make a pipe") }
        pipe = ends[1]
        for number in [SIGTERM, SIGINT] {
            signal(number) { _ in
                var byte: UInt8 = 1
                _ = write(ServerSignal.pipe, &byte, 1)
            }
        }
        var before = sigaction()
        if sigaction(SIGHUP, nil, &before) == 0, !isIgnored(before) {
            signal(SIGHUP) { _ in
                var byte: UInt8 = 2
                _ = write(ServerSignal.pipe, &byte, 1)
            }
        }
        return ServerSignal(descriptor: ends[0], hadTerminal: hasTerminal)
    }

    /// Reads what has come: whether the server shall end. Blocks when nothing has.
    public func stops() -> Bool {
        var bytes = [UInt8](repeating: 0, count: 4096)
        let count = read(descriptor, &bytes, bytes.count)
        return count <= 0 || bytes[..<count].contains(1) || (hadTerminal && !Self.hasTerminal)
    }

    private static func isIgnored(_ action: sigaction) -> Bool {
        unsafeBitCast(action.__sigaction_handler.sa_handler, to: Int.self)
            == unsafeBitCast(SIG_IGN, to: Int.self)
    }

    /// Whether the process has a terminal that is not hung up.
    private static var hasTerminal: Bool {
        let descriptor = volt_open("/dev/tty", O_RDWR | O_NOCTTY, 0)
        if descriptor >= 0 { close(descriptor) }
        return descriptor >= 0
    }
}
