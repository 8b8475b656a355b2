internal import CVoltSystem
internal import Glibc
internal import VoltCore
internal import VoltSystem

/// A terminal for a command in a container, and what passes between it and the caller's.
final class Terminal {
    /// No terminal: the command has the caller's own streams.
    static var none: Terminal { Terminal(master: -1, slave: -1) }

    private let master: Int32
    private var slave: Int32
    private var saved = [UInt8](repeating: 0, count: 128)
    private var isRaw = false
    /// Why what the command printed was not shown; the command goes on all the same.
    private var failure: VoltError?

    init() throws(VoltError) {
        slave = -1
        master = volt_pty(&slave)
        guard master >= 0 else { throw SystemError.current.during("cannot make a terminal") }
        _ = volt_terminal_size_copy(0, slave)
    }

    private init(master: Int32, slave: Int32) {
        self.master = master
        self.slave = slave
    }

    /// Called in the child: it leads a session on the terminal.
    func becomeSession() {
        setsid()
        for descriptor: Int32 in 0...2 { dup2(slave, descriptor) }
        _ = volt_make_terminal()
        close(slave)
    }

    /// Passes what is typed and shown, and signals, until the command has ended.
    ///
    /// - Returns: its exit code, or 128 and the number of the signal that ended it.
    func relay(_ child: Int32, signals: Int32) -> Int32 {
        if slave >= 0 { close(slave) }
        isRaw = master >= 0 && volt_terminal_raw(0, &saved) == 0
        defer { if isRaw { _ = volt_terminal_restore(0, saved) } }
        var streams = [signals, master, master >= 0 ? 0 : -1].map {
            pollfd(fd: $0, events: Int16(POLLIN), revents: 0)
        }
        var code: Int32?
        while true {
            // What the command printed last may still be in the terminal when its end is known.
            _ = poll(&streams, 3, code == nil ? -1 : 0)
            if streams[1].fd >= 0, streams[1].revents != 0, !copy(master, to: 1) { streams[1].fd = -1 }
            if let code, streams[1].fd < 0 || streams[1].revents == 0 { return ended(code) }
            if streams[2].fd >= 0, streams[2].revents != 0, !copy(0, to: master) { streams[2].fd = -1 }
            if let ended = takeSignals(signals, child) { code = ended }
        }
    }

    private func takeSignals(_ signals: Int32, _ child: Int32) -> Int32? {
        while true {
            switch volt_next_signal(signals) {
            case 0: return nil
            case SIGWINCH: _ = volt_terminal_size_copy(0, master)
            case SIGCHLD:
                var value: Int32 = 0
                guard waitpid(child, &value, WNOHANG) == child else { continue }
                return volt_exited(value) != 0 ? volt_exit_status(value) : 128 + volt_term_signal(value)
            case let number: kill(child, number)
            }
        }
    }

    /// The exit code of a command that ended with another one.
    private func ended(_ code: Int32) -> Int32 {
        guard let failure else { return code }
        let line = Array("volt container: error: \(failure.message)\n".utf8)
        _ = write(2, line, line.count)
        return code == 0 ? failure.code.rawValue : code
    }

    /// False when there is nothing more to copy.
    private func copy(_ from: Int32, to target: Int32) -> Bool {
        var buffer = [UInt8](repeating: 0, count: 1 << 14)
        let count = read(from, &buffer, buffer.count)
        guard count > 0 else { return count < 0 && errno == EINTR }
        let bytes = Array(buffer[..<count])
        guard target == 1 else { return (try? Files.write(bytes, to: target, named: "the terminal")) != nil }
        guard failure == nil else { return true }
        do throws(VoltError) { try StandardOutput.write(bytes) } catch { failure = error }
        return true
    }
}
