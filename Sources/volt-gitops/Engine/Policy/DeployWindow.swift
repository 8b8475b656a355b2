public import VoltCore

/// A time in which a pipeline may deploy, or may not: `allow 0 9 * * mon-fri 8h Europe/Berlin`.
public struct DeployWindow: Codable, Sendable, Equatable {
    /// What holds while the window is open.
    public enum Effect: String, Codable, CaseIterable, Sendable { case allow, deny }

    /// What holds while the window is open.
    public let effect: Effect
    /// When it opens: the five fields of crontab(5), in the zone.
    public let cron: String
    /// How long it is open, in seconds that pass, whatever the clock on the wall does meanwhile.
    public let seconds: Int64
    /// The zone, by its name in the IANA database.
    public let zone: String

    /// A longer one is refused.
    static let longest = Duration.seconds(31 * 86_400)

    /// Parses `allow|deny MINUTE HOUR DAY MONTH WEEKDAY DURATION [TIMEZONE]`; the zone is UTC unless given.
    ///
    /// - Throws: `VoltError` with code `usage`. The zone is not looked up here.
    public init(_ text: String) throws(VoltError) {
        let words = text.split(whereSeparator: { $0 == " " || $0 == "\t" }).map(String.init)
        guard words.count == 7 || words.count == 8, let effect = words.first.flatMap(Effect.init(rawValue:))
        else {
            throw VoltError(
                .usage, "'\(text)' is not a deploy window",
                hint:
                    "write allow or deny, five cron fields, a duration and a time zone, such as 'allow 0 9 * * mon-fri 8h Europe/Berlin'"
            )
        }
        let cron = try CronExpression(words[1...5].joined(separator: " "))
        let length = try DurationText.parse(words[6])
        guard length >= .seconds(60), length <= Self.longest else {
            throw VoltError(
                .usage, "'\(words[6])' is no length for a deploy window", hint: "use 1m to 31d")
        }
        self.effect = effect
        self.cron = cron.text
        seconds = length.milliseconds / 1000
        zone = words.count == 8 ? words[7] : "UTC"
        guard WindowClock(cron: cron, seconds: seconds, zone: .utc).next(after: 0) != nil else {
            throw VoltError(.usage, "'\(cron.text)' never comes: no month has that day")
        }
    }

    /// The text that `init` parses.
    public var text: String {
        "\(effect.rawValue) \(cron) \(DurationText.format(.seconds(seconds))) \(zone)"
    }
}

/// When a window opens and closes; moments are in seconds since 1970-01-01T00:00:00Z.
struct WindowClock: Sendable {
    let cron: CronExpression
    let seconds: Int64
    let zone: ZoneRules

    /// No date is rarer than 29 February around a year such as 2100.
    private static let horizon: Int64 = 9 * 366

    /// The last opening at a moment or before it.
    func last(at moment: Int64) -> Int64? {
        if cron.isEveryHour { return search(from: moment, forwards: false) }
        let today = zone.local(moment).day
        // A time that is skipped or shifted belongs to another day at most.
        for day in stride(from: today + 1, through: today - Self.horizon, by: -1) where cron.matches(day: day)
        {
            for minute in stride(from: 1439, through: 0, by: -1) where cron.matches(minute: minute) {
                if let found = appointment(day, minute), found <= moment { return found }
            }
        }
        return nil
    }

    /// The first opening behind a moment.
    func next(after moment: Int64) -> Int64? {
        if cron.isEveryHour { return search(from: moment, forwards: true) }
        let today = zone.local(moment).day
        for day in stride(from: today - 1, through: today + Self.horizon, by: 1) where cron.matches(day: day)
        {
            for minute in 0..<1440 where cron.matches(minute: minute) {
                if let found = appointment(day, minute), found > moment { return found }
            }
        }
        return nil
    }

    /// As cron(8) has it: an appointment that the clock skips comes when the clock has been put forward, and
    /// one that the clock shows twice comes the first time.
    private func appointment(_ day: Int64, _ minute: Int) -> Int64? {
        zone.moments(of: CivilTime(day: day, minute: minute)).moments.first
    }

    /// What recurs every hour follows the clock, minute by minute; days that do not match are passed by the hour.
    private func search(from moment: Int64, forwards: Bool) -> Int64? {
        let step: Int64 = forwards ? 60 : -60
        let end = moment + (forwards ? Self.horizon : -Self.horizon) * 86_400
        var moment = moment.floorDivided(by: 60) * 60 + (forwards ? 60 : 0)
        while forwards ? moment <= end : moment >= end {
            let local = zone.local(moment)
            if !cron.matches(day: local.day) {
                let inHour = Int64(local.minute % 60)
                moment += forwards ? (60 - inHour) * 60 : -(inHour + 1) * 60
            } else if cron.matches(minute: local.minute) {
                return moment
            } else {
                moment += step
            }
        }
        return nil
    }

    /// When the window that is open at a moment closes, or nil when none is.
    func closes(at moment: Int64) -> Int64? {
        guard let opened = last(at: moment), moment < opened + seconds else { return nil }
        return opened + seconds
    }
}

/// All windows of a pipeline. Deny wins; without an allow window every time is allowed.
struct WindowPlan: Sendable {
    private let windows: [(window: DeployWindow, clock: WindowClock)]

    /// - Parameters:
    ///   - windows: those of the pipeline.
    ///   - zones: gives the rules of a zone by its name.
    /// - Throws: what `zones` throws.
    init(_ windows: [DeployWindow], zones: (String) throws(VoltError) -> ZoneRules) throws(VoltError) {
        var list: [(DeployWindow, WindowClock)] = []
        for window in windows {
            list.append(
                (
                    window,
                    WindowClock(
                        cron: try CronExpression(window.cron), seconds: window.seconds,
                        zone: try zones(window.zone))
                ))
        }
        self.windows = list
    }

    /// Why a moment is not one to deploy at, or nil when it is.
    enum Closed: Equatable, Sendable {
        /// A deny window is open.
        case denied(by: DeployWindow)
        /// There are allow windows, and none is open.
        case notAllowed
    }

    /// Whether a moment is closed, and by what.
    func closed(at moment: Int64) -> Closed? {
        for (window, clock) in windows where window.effect == .deny {
            if clock.closes(at: moment) != nil { return .denied(by: window) }
        }
        let allows = windows.filter { $0.window.effect == .allow }
        guard !allows.isEmpty, !allows.contains(where: { $0.clock.closes(at: moment) != nil }) else {
            return nil
        }
        return .notAllowed
    }

    /// The first moment from a given one on at which deploys are allowed; nil when none is in sight.
    func opens(from moment: Int64) -> Int64? {
        var moment = moment
        // Each round passes a window; windows that leave no gap for so long leave none at all.
        for _ in 0..<1000 {
            switch closed(at: moment) {
            case nil: return moment
            case .denied:
                let ends = windows.filter { $0.window.effect == .deny }.compactMap {
                    $0.clock.closes(at: moment)
                }
                guard let end = ends.max() else { return nil }
                moment = end
            case .notAllowed:
                let starts = windows.filter { $0.window.effect == .allow }.compactMap {
                    $0.clock.next(after: moment)
                }
                guard let start = starts.min() else { return nil }
                moment = start
            }
        }
        return nil
    }
}
