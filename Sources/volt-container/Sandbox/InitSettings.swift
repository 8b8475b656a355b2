public import VoltCore
public import VoltSandbox
public import VoltWorkload

/// The settings of process 1 of a container.
public struct InitSettings: Sendable {
    /// The largest encoded size, in bytes.
    public static let limit = Settings.limit

    /// Who runs what.
    public var confinement: Confinement
    /// The signal that asks the payload to end.
    public var stopSignal: Int32
    /// How to tell that the payload works, or nil.
    public var health: HealthCheck?
    /// Where the payload may write also to control groups.
    public var writable: [String] = []
    /// The files of the image below /run, or nil.
    public var imageRun: ImageRun?

    /// - Parameters: see the properties.
    public init(confinement: Confinement, stopSignal: Int32, health: HealthCheck?) {
        self.confinement = confinement
        self.stopSignal = stopSignal
        self.health = health
    }

    /// Parses encoded settings.
    public init(decoding bytes: [UInt8]) throws(VoltError) {
        let settings = try Settings(decoding: bytes)
        self.init(
            confinement: try Confinement(settings), stopSignal: try settings.number("stop-signal"),
            health: try HealthCheck(settings))
        guard (1...64).contains(stopSignal) else { throw VoltError(.failed, "\(stopSignal) is not a signal") }
        writable = settings.all("writable")
        imageRun = ImageRun(settings)
    }

    /// The bytes of the settings.
    public func encoded() throws(VoltError) -> [UInt8] {
        var settings = Settings()
        confinement.add(to: &settings)
        settings.add("stop-signal", String(stopSignal))
        health?.add(to: &settings)
        settings.add("writable", all: writable)
        imageRun?.add(to: &settings)
        return try settings.encoded()
    }
}
