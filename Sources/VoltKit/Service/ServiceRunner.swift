internal import Glibc
public import VoltCore
public import VoltSystem

/// Runs a service: lock, signals, reload, the word to the service manager and its watchdog, and the drain at the end.
public struct ServiceRunner: Sendable {
    /// The error of a second server, told the record of the first; nil when several may work side by side.
    public typealias Busy = @Sendable (ServiceRecord?) -> VoltError

    private let directory: String
    private let busy: Busy?
    private let manager: ServiceManager
    private let log: @Sendable (String) -> Void

    /// - Parameters:
    ///   - directory: the runtime directory of the tool, for `serve.lock` and `serve.json`.
    ///   - manager: told when the service is ready, that it lives and that it stops.
    ///   - busy: see the type; with it one server at a time holds `serve.lock`.
    ///   - log: gets lines for people.
    public init(
        directory: String, manager: ServiceManager, busy: Busy? = nil,
        log: @escaping @Sendable (String) -> Void
    ) {
        self.directory = directory
        self.manager = manager
        self.busy = busy
        self.log = log
    }

    /// The lock that a server which works alone holds.
    public static func lock(in directory: String) -> String { "\(directory)/serve.lock" }

    /// Runs a service until SIGTERM or SIGINT ends it; SIGHUP has it read its files again. Blocks.
    ///
    /// - Throws: the error of the service, or that of `busy`.
    public func run(_ service: some Service) throws(VoltError) {
        var lock: FileLock?
        if let busy {
            try Files.makeDirectory(directory, mode: 0o755)
            lock = try FileLock.tryLock(Self.lock(in: directory))
            if lock == nil { throw busy(ServiceRecord.read(in: directory)) }
        }
        signal(SIGPIPE, SIG_IGN)
        let signals = try ServerSignal.install()
        try service.prepare()
        let url = try service.bind()
        let record = ServiceRecord(url: url)
        do throws(VoltError) {
            try service.recover()
            try put(record)
            try service.run()
        } catch {
            try? record.remove(in: directory)
            throw error
        }
        manager.ready(status: "listening on \(url)")
        watch(service, signals)
        manager.stopping()
        try service.drain()
        try record.remove(in: directory)
        _ = consume lock
        log("stopped")
    }

    /// Says where the service listens. One of several servers works without it, such as a user's without a runtime directory.
    private func put(_ record: ServiceRecord) throws(VoltError) {
        do throws(VoltError) {
            try Files.makeDirectory(directory, mode: 0o755)
            try record.write(in: directory)
        } catch {
            guard busy == nil else { throw error }
            log("debug: \(error.message)")
        }
    }

    /// Blocks until a signal ends the service.
    private func watch(_ service: some Service, _ signals: ServerSignal) {
        let times = [manager.watchdogInterval, service.interval].compactMap { $0 }.map(\.milliseconds)
        let limit = times.min().map { Int32(clamping: $0) } ?? -1
        let wake = service.wakeDescriptor ?? -1
        var bytes = [UInt8](repeating: 0, count: 4096)
        while true {
            var polls = [
                pollfd(fd: signals.descriptor, events: Int16(POLLIN), revents: 0),
                pollfd(fd: wake, events: Int16(POLLIN), revents: 0),
            ]
            let count = poll(&polls, 2, limit)
            manager.alive()
            if count > 0, polls[0].revents != 0 {
                if signals.stops() { return }
                service.reload()
            }
            if count > 0, polls[1].revents != 0 {
                _ = read(wake, &bytes, bytes.count)
                service.wake()
            }
            service.tick()
        }
    }
}
