internal import VoltCore
internal import VoltWorkload
internal import VoltYAML

/// Reads the `health` section.
enum HealthReader {
    static func read(_ node: YAMLNode) throws(VoltError) -> HealthCheck {
        let fields = try node.fields(["http", "tcp", "exec", "interval", "timeout", "retries", "startPeriod"])
        let given = ["http", "tcp", "exec"].filter { fields[$0] != nil }
        guard given.count == 1, let key = given.first, let probe = fields[key] else {
            throw node.failure(
                given.isEmpty
                    ? "one of http, tcp and exec is missing"
                    : "\(given.joined(separator: " and ")) exclude each other")
        }
        var health: HealthCheck
        switch key {
        case "http": health = .init(probe: try http(probe))
        case "tcp":
            var port = probe
            if case .mapping = probe.content {
                port = try Manifest.require("port", in: try probe.fields(["port"]), of: probe)
            }
            health = .init(probe: .tcp(port: try number(port)))
        default: health = .init(probe: .exec(try command(probe)))
        }
        if let interval = fields["interval"] {
            health.intervalMilliseconds = try duration(interval, atLeast: .milliseconds(10))
        }
        if let timeout = fields["timeout"] {
            health.timeoutMilliseconds = try duration(timeout, atLeast: .milliseconds(10))
        }
        if let start = fields["startPeriod"] {
            health.startPeriodMilliseconds = try duration(start, atLeast: .zero)
        }
        if let retries = fields["retries"] {
            health.retries = try retries.integer()
            guard (1...1000).contains(health.retries) else {
                throw retries.failure("retries is not between 1 and 1000")
            }
        }
        return health
    }

    private static func http(_ node: YAMLNode) throws(VoltError) -> HealthCheck.Probe {
        let fields = try node.fields(["port", "path"])
        let path = try fields["path"]?.string() ?? "/"
        guard path.hasPrefix("/"), path.utf8.allSatisfy({ $0 > 32 && $0 < 127 }) else {
            throw (fields["path"] ?? node).failure(
                "'\(path)' is not the path of a URL", hint: "write an absolute path such as /healthz")
        }
        return .http(port: try number(try Manifest.require("port", in: fields, of: node)), path: path)
    }

    private static func command(_ node: YAMLNode) throws(VoltError) -> [String] {
        var words: [String] = []
        for item in try node.items() { words.append(try item.string()) }
        guard !words.isEmpty, !words.contains(where: { $0.utf8.contains(0) }) else {
            throw node.failure("the command is empty")
        }
        return words
    }

    private static func number(_ node: YAMLNode) throws(VoltError) -> UInt16 {
        guard let port = UInt16(exactly: try node.integer()), port > 0 else {
            throw node.failure("a port is between 1 and 65535")
        }
        return port
    }

    private static func duration(_ node: YAMLNode, atLeast least: Duration) throws(VoltError) -> Int64 {
        let value = try node.parsed { text throws(VoltError) in try DurationText.parse(text) }
        guard value >= least, value <= .seconds(86400) else {
            throw node.failure("'\(try node.string())' is not between \(DurationText.format(least)) and 1d")
        }
        return value.milliseconds
    }
}
