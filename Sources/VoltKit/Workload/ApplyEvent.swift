public import VoltCore

/// The steps of `volt-<kind> apply`, in their order.
public enum ApplyStep: String, Codable, CaseIterable, Sendable {
    /// Pull or build the image.
    case prepare
    /// Start the new workload beside the old one.
    case start
    /// Wait until the new one is healthy.
    case check
    /// Point ports and names to the new one.
    case `switch`
    /// Stop the old one.
    case stopOld = "stop-old"
}

/// Where a step is.
public enum ApplyStepState: String, Codable, Sendable {
    case started, done, failed
}

/// How an apply ended.
public enum ApplyStatus: String, Codable, Sendable {
    /// The workload now is what the manifest says.
    case deployed
    /// It already was.
    case unchanged
    /// It is not, and the old one keeps running.
    case failed
}

/// What an apply would do to one service of a workload.
public struct ServicePlan: Codable, Sendable, Equatable {
    /// What becomes of it.
    public enum Change: String, Codable, Sendable {
        /// It is new.
        case create
        /// A new one takes the place of the one that runs.
        case replace
        /// It goes on as it is.
        case unchanged
        /// It is removed.
        case remove
    }

    /// The name of the service; that of the workload when it has only one.
    public var service: String
    /// What becomes of it.
    public var change: Change
    /// Why, each in a few words, without the values of variables.
    public var reasons: [String]

    /// - Parameters: see the properties.
    public init(service: String, change: Change, reasons: [String]) {
        self.service = service
        self.change = change
        self.reasons = reasons
    }
}

/// One line of `volt-<kind> apply -o json`.
public enum ApplyEvent: Sendable, Equatable {
    /// A step begins or ends; the service is nil where the step is of the whole workload.
    case step(ApplyStep, ApplyStepState, at: Timestamp, service: String? = nil)
    /// A line the workload or its build printed; the stream is `stdout` or `stderr`.
    case log(stream: String, line: String, service: String? = nil)
    /// What would become of a service; with `--dry-run` there is one line for each, and nothing else.
    case plan(ServicePlan)
    /// The last line. The images are those that names of the definition resolved to, digests by the name as it is
    /// written; nil when the tool does not say.
    case result(ApplyStatus, generation: String?, message: String, images: [String: String]? = nil)

    /// The most bytes of a line; of a longer one only these are read.
    public static let longestLine = 64 << 10
    /// The most bytes of a message; the rest of it is left out.
    public static let longestMessage = 4 << 10
}

extension ApplyEvent: Codable {
    private enum Key: String, CodingKey {
        case event, step, state, at, stream, line, status, generation, message, service, change, reasons,
            images
    }

    /// Decodes a line; an unknown event or step is an error.
    public init(from decoder: any Decoder) throws {
        let values = try decoder.container(keyedBy: Key.self)
        switch try values.decode(String.self, forKey: .event) {
        case "step":
            self = .step(
                try values.decode(ApplyStep.self, forKey: .step),
                try values.decode(ApplyStepState.self, forKey: .state),
                at: try values.decode(Timestamp.self, forKey: .at),
                service: Self.service(in: values))
        case "log":
            self = .log(
                stream: try values.decode(String.self, forKey: .stream),
                line: try values.decode(String.self, forKey: .line),
                service: Self.service(in: values))
        case "plan":
            self = .plan(try ServicePlan(from: decoder))
        case "result":
            self = .result(
                try values.decode(ApplyStatus.self, forKey: .status),
                generation: Self.generation(in: values),
                message: Self.cut(try values.decodeIfPresent(String.self, forKey: .message) ?? ""),
                images: try values.decodeIfPresent([String: String].self, forKey: .images))
        case let other:
            throw DecodingError.dataCorruptedError(
                forKey: .event, in: values, debugDescription: "'\(other)' is not an event")
        }
    }

    /// It only says what a line is about, so that anything but a text is no reason to lose the line.
    private static func service(in values: KeyedDecodingContainer<Key>) -> String? {
        (try? values.decodeIfPresent(String.self, forKey: .service)).flatMap { $0 }.map(cut)
    }

    /// A text or a number. It only names what was deployed, so that anything else is no reason to lose the result.
    private static func generation(in values: KeyedDecodingContainer<Key>) -> String? {
        if let text = try? values.decode(String.self, forKey: .generation) { return cut(text) }
        if let number = try? values.decode(Int64.self, forKey: .generation) { return String(number) }
        if let number = try? values.decode(UInt64.self, forKey: .generation) { return String(number) }
        return (try? values.decode(Double.self, forKey: .generation)).map { "\($0)" }
    }

    /// The text up to the last whole character within the limit.
    private static func cut(_ text: String) -> String {
        guard text.utf8.count > longestMessage else { return text }
        var room = longestMessage - 3
        return text.prefix { character in
            room -= character.utf8.count
            return room >= 0
        } + "…"
    }

    /// Encodes a line.
    public func encode(to encoder: any Encoder) throws {
        var values = encoder.container(keyedBy: Key.self)
        switch self {
        case .step(let step, let state, let at, let service):
            try values.encode("step", forKey: .event)
            try values.encode(step, forKey: .step)
            try values.encode(state, forKey: .state)
            try values.encode(at, forKey: .at)
            try values.encodeIfPresent(service, forKey: .service)
        case .log(let stream, let line, let service):
            try values.encode("log", forKey: .event)
            try values.encode(stream, forKey: .stream)
            try values.encode(line, forKey: .line)
            try values.encodeIfPresent(service, forKey: .service)
        case .plan(let plan):
            try values.encode("plan", forKey: .event)
            try values.encode(plan.service, forKey: .service)
            try values.encode(plan.change, forKey: .change)
            try values.encode(plan.reasons, forKey: .reasons)
        case .result(let status, let generation, let message, let images):
            try values.encode("result", forKey: .event)
            try values.encode(status, forKey: .status)
            try values.encodeIfPresent(generation, forKey: .generation)
            try values.encode(message, forKey: .message)
            try values.encodeIfPresent(images, forKey: .images)
        }
    }
}
