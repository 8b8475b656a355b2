internal import VoltCore

/// What an extension tells about itself, by the schema in `docs/contract.md`.
///
/// The text stands in `<prefix>/share/volt/commands/<name>.json`, or comes from
/// `volt-<name> --volt-metadata` on stdout. Fields that are not named here are ignored.
public struct ToolMetadata: Sendable, Equatable {
    /// The version of the contract that this release speaks; the value of `VOLT_CONTRACT`.
    public static let contract = 1
    /// The longest summary, in characters.
    public static let maximumSummary = 72

    /// The name behind `volt-`.
    public let name: String
    /// The version of the extension.
    public let version: String
    /// One line, without a full stop.
    public let summary: String
    /// The version of VoltKit it was built with.
    public let kit: String?
    /// The group of `volt help -a` it belongs to.
    public let group: String?
    /// Whether `volt help -a` leaves it out.
    public let hidden: Bool
    /// Where to read more.
    public let url: String?
    /// The oldest `volt` it works with.
    public let minVolt: String?
    /// The kinds of workload that `volt-<name> apply` takes.
    public let kinds: [String]
    /// The units of systemd that `volt-<name> install-service` may write.
    public let units: [String]
    /// The variable by which the service among them gets its port.
    public let portVariable: String?
    /// The verb that lists what the tool runs on this host.
    public let instances: String?

    /// Parses metadata.
    ///
    /// - Parameters:
    ///   - bytes: the JSON text.
    ///   - expected: the name of the executable behind `volt-`.
    ///   - voltVersion: the version of this `volt`, for `minVolt`.
    /// - Throws: `MetadataFailure`.
    public init(_ bytes: some Collection<UInt8>, of expected: String, voltVersion: String)
        throws(MetadataFailure)
    {
        let json: JSONValue
        do { json = try JSONValue(bytes) } catch { throw MetadataFailure("the metadata \(error)") }
        guard case .object = json else { throw MetadataFailure("the metadata is not an object") }
        guard let contract = json["contract"]?.integer else {
            throw MetadataFailure("'contract' is not an integer")
        }
        guard contract == Self.contract else {
            throw MetadataFailure("contract \(contract) is not the one this volt speaks (\(Self.contract))")
        }
        name = try Self.line(json, "name", required: true) ?? ""
        guard name == expected else { throw MetadataFailure("'name' is '\(name)', not '\(expected)'") }
        version = try Self.line(json, "version", required: true) ?? ""
        summary = try Self.line(json, "summary", required: true) ?? ""
        guard summary.count <= Self.maximumSummary else {
            throw MetadataFailure(
                "'summary' has \(summary.count) characters, more than \(Self.maximumSummary)")
        }
        guard !summary.hasSuffix(".") else { throw MetadataFailure("'summary' ends in a full stop") }
        kit = try Self.line(json, "kit")
        group = try Self.line(json, "group")
        url = try Self.line(json, "url")
        minVolt = try Self.line(json, "minVolt")
        switch json["hidden"] {
        case nil: hidden = false
        case .bool(let value): hidden = value
        default: throw MetadataFailure("'hidden' is not true or false")
        }
        kinds = try Self.names(json, "kinds", "names of kinds") { ToolName.isValid($0) }
        units = try Self.names(json, "units", "names of services, sockets and timers") {
            UnitName.isValid($0)
        }
        portVariable = try Self.line(json, "portVariable")
        guard portVariable.map(Self.isVariable) ?? true else {
            throw MetadataFailure("'portVariable' is not the name of a variable")
        }
        instances = try Self.line(json, "instances")
        guard instances.map(ToolName.isValid) ?? true else {
            throw MetadataFailure("'instances' is not a verb")
        }
        if let minVolt {
            guard let needed = Self.components(minVolt), let present = Self.components(voltVersion) else {
                throw MetadataFailure("'minVolt' is not a version")
            }
            guard !present.lexicographicallyPrecedes(needed) else {
                throw MetadataFailure("it needs volt \(minVolt), this is \(voltVersion)")
            }
        }
    }

    /// The metadata as it is shown by `volt plugins --json`.
    public var json: JSONValue {
        var members: [String: JSONValue] = [
            "contract": .number("\(Self.contract)"), "name": .string(name), "version": .string(version),
            "summary": .string(summary), "hidden": .bool(hidden),
            "kinds": .array(kinds.map(JSONValue.string)),
        ]
        let lines = [
            ("kit", kit), ("group", group), ("url", url), ("minVolt", minVolt),
            ("portVariable", portVariable), ("instances", instances),
        ]
        for (key, value) in lines { if let value { members[key] = .string(value) } }
        if !units.isEmpty { members["units"] = .array(units.map(JSONValue.string)) }
        return .object(members)
    }

    /// A member that is a list of names; none when it is not there.
    private static func names(
        _ json: JSONValue, _ key: String, _ what: String, _ isValid: (String) -> Bool
    ) throws(MetadataFailure) -> [String] {
        guard let member = json[key] else { return [] }
        guard let elements = member.array else { throw MetadataFailure("'\(key)' is not a list of \(what)") }
        let names = elements.compactMap(\.string).filter(isValid)
        guard names.count == elements.count else {
            throw MetadataFailure("'\(key)' is not a list of \(what)")
        }
        return names
    }

    private static func isVariable(_ text: String) -> Bool {
        text.first?.isNumber == false
            && text.utf8.allSatisfy { byte in
                byte == UInt8(ascii: "_") || (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains(byte)
                    || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte)
            }
    }

    /// A member that is one line of at most 256 bytes.
    private static func line(_ json: JSONValue, _ key: String, required: Bool = false)
        throws(MetadataFailure) -> String?
    {
        guard let member = json[key] else {
            if required { throw MetadataFailure("'\(key)' is missing") }
            return nil
        }
        guard let text = member.string else { throw MetadataFailure("'\(key)' is not a string") }
        guard !text.isEmpty, text.utf8.count <= 256,
            text.unicodeScalars.allSatisfy({ $0.properties.generalCategory != .control })
        else { throw MetadataFailure("'\(key)' is not a line of 1 to 256 bytes") }
        return text
    }

    /// `1.2` as 1, 2, 0; nil when it is not numbers with dots.
    private static func components(_ version: String) -> [Int]? {
        let parts = version.split(separator: ".", omittingEmptySubsequences: false)
        let numbers = parts.compactMap { Int($0) }.filter { $0 >= 0 }
        guard parts.count == numbers.count, (1...3).contains(numbers.count) else { return nil }
        return numbers + Array(repeating: 0, count: 3 - numbers.count)
    }
}

/// Why an extension's metadata could not be had. It is listed with the reason and still runs.
public struct MetadataFailure: Error, Sendable, Equatable {
    /// A phrase without a full stop.
    public let reason: String

    /// - Parameter reason: a phrase without a full stop.
    public init(_ reason: String) { self.reason = reason }
}
