public import VoltCore

/// A server of a host: it works until somebody ends it.
///
/// `ServiceRunner` calls the methods on one thread, each of `prepare`, `bind`, `recover`, `run` and `drain` at most once
/// and in this order. When one of the first four throws, the process ends with that error and without `drain`, as it would by
/// a kill: the next server recovers.
public protocol Service: AnyObject {
    /// Reads settings, keys and state, and takes the locks that are this service's own.
    ///
    /// Duties: whatever is wrong with the settings is found here, before anybody is answered. Nothing is listened on, and
    /// the work of a server before this one is not touched.
    func prepare() throws(VoltError)

    /// Takes the port.
    ///
    /// Duties: it comes before `recover`, so that a second server, which finds the port taken, never touches the work
    /// of the first. What is asked of it from here on waits or is accepted, and is not lost.
    ///
    /// - Returns: where it listens, such as `http://0.0.0.0:9090`.
    /// - Throws: `VoltError` with code `missing` when the port is taken, naming who holds it.
    func bind() throws(VoltError) -> String

    /// Ends or takes up what a server before this one left undone.
    ///
    /// Duties: it may be killed at any moment and is then done again; nothing that was acknowledged is lost.
    func recover() throws(VoltError)

    /// Starts the work, says so in the log, and returns.
    ///
    /// Duties: when it returns, the service does all that it is for: the service manager is told that it is ready.
    func run() throws(VoltError)

    /// Reads settings, keys and files again (SIGHUP).
    ///
    /// Duties: what cannot be used is said in the log and leaves the old one in force.
    func reload()

    /// A descriptor that becomes readable when the service has something to do on the thread of the runner; nil for none.
    /// Asked once, after `run`.
    var wakeDescriptor: Int32? { get }

    /// Does what there is to do, after `wakeDescriptor` became readable; what it had was read and thrown away.
    func wake()

    /// How often `tick` is called at least; nil for never.
    var interval: Duration? { get }

    /// Does what is due from time to time. It does not block for long: the service manager waits for a sign of life.
    func tick()

    /// Ends the work.
    ///
    /// Duties: it takes no more requests, lets those that are being answered end, stops its threads and programs, and
    /// leaves on disk what the next server needs to go on. It takes less time than the service manager allows.
    func drain() throws(VoltError)
}

extension Service {
    /// Nothing.
    public func recover() throws(VoltError) {}
    /// Nothing.
    public func reload() {}
    /// None.
    public var wakeDescriptor: Int32? { nil }
    /// Nothing.
    public func wake() {}
    /// Never.
    public var interval: Duration? { nil }
    /// Nothing.
    public func tick() {}
}
