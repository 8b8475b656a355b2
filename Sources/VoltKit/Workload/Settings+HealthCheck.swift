public import VoltCore

/// A health check, as helpers are told about it.
extension HealthCheck {
    /// Reads the keys `health` (`http`, `tcp` or `exec`) and `health-…`; nil when there is no check.
    ///
    /// - Throws: `VoltError` when a key is missing, or its value is not what it must be.
    public init?(_ settings: Settings) throws(VoltError) {
        guard let kind = settings.optional("health") else { return nil }
        switch kind {
        case "http":
            self.init(
                probe: .http(port: try settings.number("health-port"), path: try settings.text("health-path"))
            )
        case "tcp": self.init(probe: .tcp(port: try settings.number("health-port")))
        case "exec": self.init(probe: .exec(settings.all("health-arg")))
        default: throw VoltError(.failed, "'\(kind)' is not a health check")
        }
        intervalMilliseconds = try settings.number("health-interval")
        timeoutMilliseconds = try settings.number("health-timeout")
        retries = try settings.number("health-retries")
        startPeriodMilliseconds = try settings.number("health-start")
    }

    /// Writes the same keys.
    public func add(to settings: inout Settings) {
        switch probe {
        case .http(let port, let path):
            settings.add("health", "http")
            settings.add("health-port", String(port))
            settings.add("health-path", path)
        case .tcp(let port):
            settings.add("health", "tcp")
            settings.add("health-port", String(port))
        case .exec(let command):
            settings.add("health", "exec")
            settings.add("health-arg", all: command)
        }
        settings.add("health-interval", String(intervalMilliseconds))
        settings.add("health-timeout", String(timeoutMilliseconds))
        settings.add("health-retries", String(retries))
        settings.add("health-start", String(startPeriodMilliseconds))
    }
}
