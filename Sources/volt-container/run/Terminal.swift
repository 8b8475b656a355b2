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
    /// It never waits in a read or a write, so that signals are answered whatever the command does.
    ///
    /// - Parameter isFrozen: whether the command's control group is frozen: then a signal to it has no effect.
    /// - Returns: its exit code, or 128 and the number of the signal that ended it.
    func relay(_ child: Int32, signals: Int32, isFrozen: () -> Bool) -> Int32 {
        if slave >= 0 { close(slave) }
        isRaw = master >= 0 && volt_terminal_raw(0, &saved) == 0
        defer { if isRaw { _ = volt_terminal_restore(0, saved) } }
        var toCommand = Stream(from: master >= 0 ? 0 : -1, to: master)
        var toCaller = Stream(from: master, to: 1)
        var code: Int32?
        while true {
            var polls = [
                pollfd(fd: signals, events: Int16(POLLIN), revents: 0), toCommand.wish, toCaller.wish,
            ]
            // What the command printed last may still be in the terminal when its end is known.
            _ = poll(&polls, 3, code == nil || toCaller.isWriting ? -1 : 0)
            if let code, polls[2].revents == 0, !toCaller.isWriting || polls[0].revents != 0 {
                return ended(code, toCaller.failure)
            }
            if polls[2].revents != 0 { toCaller.move() }
            if polls[1].revents != 0 { toCommand.move() }
            if code == nil { code = takeSignals(signals, child, isFrozen) }
        }
    }

    /// The exit code of a command that ended with another one.
    private func ended(_ code: Int32, _ failure: VoltError?) -> Int32 {
        guard let failure else { return code }
        let line = Array("volt container: error: \(failure.message)\n".utf8)
        _ = write(2, line, line.count)
        return code == 0 ? failure.code.rawValue : code
    }

    private func takeSignals(_ signals: Int32, _ child: Int32, _ isFrozen: () -> Bool) -> Int32? {
        while true {
            switch volt_next_signal(signals) {
            case 0: return nil
            case SIGWINCH where master >= 0: _ = volt_terminal_size_copy(0, master)
            case SIGCHLD:
                var value: Int32 = 0
                guard waitpid(child, &value, WNOHANG) == child else { continue }
                return volt_exited(value) != 0 ? volt_exit_status(value) : 128 + volt_term_signal(value)
            case let number:
                kill(child, number)
                guard isFrozen(), ![SIGCONT, SIGWINCH].contains(number) else { continue }
                // Where even that waits for the thaw, the command ends then.
                kill(child, SIGKILL)
                return 128 + number
            }
        }
    }
}

/// What is passed in one direction, a piece at a time.
private struct Stream {
    private var from: Int32
    private let target: Int32
    private var piece: ArraySlice<UInt8> = []
    /// Why what the command printed was not shown; the command goes on all the same.
    private(set) var failure: VoltError?

    init(from: Int32, to target: Int32) {
        self.from = from
        self.target = target
    }

    /// Whether a piece is on its way.
    var isWriting: Bool { !piece.isEmpty }

    /// What to wait for: that the target takes the rest of a piece, or that there is a new one.
    var wish: pollfd {
        isWriting
            ? pollfd(fd: target, events: Int16(POLLOUT), revents: 0)
            : pollfd(fd: from, events: Int16(POLLIN), revents: 0)
    }

    /// Does what was waited for; a stream whose end is reached is not waited for again.
    mutating func move() {
        if isWriting {
            let bytes = Array(piece)
            let count = write(target, bytes, bytes.count)
            if count >= 0 {
                piece = piece.dropFirst(count)
            } else if errno != EINTR && errno != EAGAIN {
                piece = []
                if target == 1 {
                    do throws(VoltError) { try StandardOutput.write(bytes) } catch { failure = error }
                } else {
                    from = -1
                }
            }
        } else {
            // A pipe that takes anything takes so much (pipe(7), PIPE_BUF).
            var buffer = [UInt8](repeating: 0, count: 4096)
            let count = read(from, &buffer, buffer.count)
            if count > 0 {
                piece = failure == nil ? buffer[..<count] : []
            } else if count == 0 || (errno != EINTR && errno != EAGAIN) {
                from = -1
            }
        }
    }
}
