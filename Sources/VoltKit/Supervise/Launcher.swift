public import VoltCore
internal import VoltSystem

/// The part of a supervisor that knows what it supervises. All but `launch` runs in the supervisor, which has one
/// thread.
public protocol Launcher {
    /// The health check that the supervisor makes; nil when there is none, or something else makes it and writes
    /// `status` itself.
    var health: HealthLoop? { get }

    /// Whether what is launched writes `status` itself, such as process 1 of a container.
    var reportsStatus: Bool { get }

    /// Called once, when the control groups are made.
    mutating func begin(_ groups: inout ControlGroups) throws(VoltError)

    /// Called before `begin` and before the groups are made, such as to enter a network of its own.
    func isolate() throws(VoltError)

    /// Called before each start, for what takes time or may fail.
    mutating func prepare() throws(VoltError)

    /// Becomes the payload. Called in the child, whose standard streams are set; returns only by throwing.
    func launch(_ child: LaunchedChild) throws(VoltError) -> Never

    /// The process that signals go to.
    ///
    /// - Parameter child: the process that `launch` became.
    func receiver(of child: Int32) -> Int32?

    /// Runs a command of the health check, in a process of its own that ends with the code.
    func check(_ command: [String]) -> Int32

    /// Called after each run, when nothing is left in the control groups.
    func cleared()

    /// Called in a supervisor that took the place of one that was killed, when the payload is to run again.
    func takenOver()

    /// Called when the payload has ended for good.
    func finish()
}

extension Launcher {
    /// None.
    public var health: HealthLoop? { nil }
    /// It does not.
    public var reportsStatus: Bool { false }
    /// Nothing.
    public func begin(_ groups: inout ControlGroups) throws(VoltError) {}
    /// Nothing.
    public func isolate() throws(VoltError) {}
    /// Nothing.
    public func prepare() throws(VoltError) {}
    /// The child itself.
    public func receiver(of child: Int32) -> Int32? { child }
    /// Not found.
    public func check(_ command: [String]) -> Int32 { ExitCode.commandNotFound.rawValue }
    /// Nothing.
    public func cleared() {}
    /// Nothing.
    public func takenOver() {}
    /// Nothing.
    public func finish() {}
}

/// The child of a supervisor that is to become the payload.
public struct LaunchedChild {
    /// The open file `status`, for a payload that writes it itself.
    public let status: Int32
    let groups: ControlGroups
    let isInside: Bool

    /// Moves the child into the control groups of the instance, with their limits.
    public func enterGroups() throws(VoltError) { try groups.join(isInside: isInside) }
}
