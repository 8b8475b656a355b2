internal import VoltCore
internal import VoltSystem

/// The offsets of a time zone from UTC, read from a TZif file (RFC 9636).
struct ZoneRules: Equatable, Sendable {
    /// The name, such as `Europe/Berlin`.
    let name: String
    /// Moments at which the offset changes, in seconds since 1970-01-01T00:00:00Z, ascending.
    private var transitions: [Int64] = []
    /// The offset from the transition with the same index on.
    private var offsets: [Int64] = []
    /// The offset before the first transition, in seconds east of UTC.
    private var first: Int64 = 0
    /// The rules behind the last transition.
    private var footer: PosixZone?

    /// Coordinated universal time, which needs no file.
    static let utc = ZoneRules(name: "UTC")

    private init(name: String) { self.name = name }

    /// Reads a zone of the database.
    ///
    /// - Parameters:
    ///   - name: such as `Europe/Berlin`.
    ///   - directory: the database, `/usr/share/zoneinfo` on Debian.
    /// - Throws: `VoltError` with code `usage` when the name is no zone.
    static func read(_ name: String, from directory: String) throws(VoltError) -> ZoneRules {
        if ["UTC", "Etc/UTC", "Z"].contains(name) { return .utc }
        let unknown = VoltError(
            .usage, "'\(name)' is not a time zone of '\(directory)'",
            hint:
                "write its name in the IANA database, such as Europe/Berlin; Debian has it in package tzdata, and old names such as US/Eastern in tzdata-legacy from Debian 13 on"
        )
        let parts = name.split(separator: "/", omittingEmptySubsequences: false)
        let isName = parts.allSatisfy { part in
            !part.isEmpty
                && part.utf8.allSatisfy {
                    (48...57).contains($0) || (65...90).contains($0) || (97...122).contains($0)
                        || $0 == UInt8(ascii: "_") || $0 == UInt8(ascii: "-") || $0 == UInt8(ascii: "+")
                }
        }
        guard isName, parts.count <= 4, name.utf8.count <= 64 else { throw unknown }
        // Some names of the database are links to others, so links are followed.
        guard let bytes = try? Files.read("\(directory)/\(name)", limit: 1 << 20) else { throw unknown }
        return try ZoneRules(name: name, bytes: bytes)
    }

    /// Reads a TZif file of version 1 or later.
    init(name: String, bytes: [UInt8]) throws(VoltError) {
        self.init(name: name)
        let broken = VoltError(.failed, "the file of time zone '\(name)' is not a TZif file")
        var reader = Reader(bytes: bytes)
        guard let header = reader.header() else { throw broken }
        if header.version >= 2 {
            guard reader.skip(header.size(wide: false)), let wide = reader.header(),
                read(&reader, wide, wide: true), let text = reader.footer()
            else { throw broken }
            // No footer: the last offset goes on.
            if !text.isEmpty {
                guard let zone = PosixZone(text) else { throw broken }
                footer = zone
            }
        } else {
            guard read(&reader, header, wide: false) else { throw broken }
        }
    }

    private mutating func read(_ reader: inout Reader, _ header: Reader.Header, wide: Bool) -> Bool {
        guard header.types > 0, header.transitions <= 100_000 else { return false }
        var times: [Int64] = []
        for _ in 0..<header.transitions {
            guard let time = wide ? reader.integer64() : reader.integer32() else { return false }
            if let last = times.last, last >= time { return false }
            times.append(time)
        }
        var indexes: [Int] = []
        for _ in 0..<header.transitions {
            guard let index = reader.byte() else { return false }
            indexes.append(Int(index))
        }
        var types: [Int64] = []
        for _ in 0..<header.types {
            guard let offset = reader.integer32(), reader.skip(2) else { return false }
            types.append(offset)
        }
        guard indexes.allSatisfy({ $0 < types.count }), reader.skip(header.tail(wide: wide)) else {
            return false
        }
        transitions = times
        offsets = indexes.map { types[$0] }
        first = types[0]
        return true
    }

    /// Seconds east of UTC at a moment, in seconds since 1970-01-01T00:00:00Z.
    func offset(at moment: Int64) -> Int64 {
        guard let last = transitions.last else { return footer?.offset(at: moment) ?? first }
        if moment >= last, let footer { return footer.offset(at: moment) }
        var low = 0
        var high = transitions.count
        while low < high {
            let middle = (low + high) / 2
            if transitions[middle] <= moment { low = middle + 1 } else { high = middle }
        }
        return low == 0 ? first : offsets[low - 1]
    }

    /// What the clock on the wall shows at a moment.
    func local(_ moment: Int64) -> CivilTime { CivilTime(seconds: moment + offset(at: moment)) }

    /// The moments at which the clock on the wall shows a time: two when it is put back over it, and when
    /// it is put forward over it, the moment of the change, marked as skipped.
    func moments(of time: CivilTime) -> (moments: [Int64], isSkipped: Bool) {
        let wall = time.seconds
        // No zone is further than 26 hours from UTC (RFC 9636, section 3.2).
        let ends = (offset(at: wall - 93_600), offset(at: wall + 93_600))
        if ends.0 == ends.1 { return ([wall - ends.0], false) }
        let near = Set([-50_000, 0, 50_000].map { offset(at: wall + $0) } + [ends.0, ends.1])
        let found = near.map { wall - $0 }.filter { wall - $0 == offset(at: $0) }.sorted()
        if !found.isEmpty { return (found, false) }
        guard let least = near.min(), let most = near.max() else { return ([], false) }
        // Before the change the clock shows less than the time, behind it more.
        var low = wall - most
        var high = wall - least
        while low + 1 < high {
            let middle = low + (high - low) / 2
            if middle + offset(at: middle) < wall { low = middle } else { high = middle }
        }
        return ([high], true)
    }

    /// Reads the big-endian numbers of a TZif file.
    private struct Reader {
        let bytes: [UInt8]
        var position = 0

        struct Header {
            var version = 0
            var indicators = 0
            var standards = 0
            var leaps = 0
            var transitions = 0
            var types = 0
            var characters = 0

            func tail(wide: Bool) -> Int { characters + leaps * (wide ? 12 : 8) + standards + indicators }

            func size(wide: Bool) -> Int { transitions * (wide ? 9 : 5) + types * 6 + tail(wide: wide) }
        }

        init(bytes: [UInt8]) { self.bytes = bytes }

        mutating func header() -> Header? {
            guard position + 44 <= bytes.count, Array(bytes[position..<position + 4]) == Array("TZif".utf8)
            else {
                return nil
            }
            let version = bytes[position + 4]
            position += 20
            var counts: [Int] = []
            for _ in 0..<6 {
                guard let count = integer32(), (0...1_000_000).contains(count) else { return nil }
                counts.append(Int(count))
            }
            return Header(
                version: version == 0 ? 1 : Int(version) - 48, indicators: counts[0], standards: counts[1],
                leaps: counts[2], transitions: counts[3], types: counts[4], characters: counts[5])
        }

        mutating func skip(_ count: Int) -> Bool {
            position += count
            return position <= bytes.count
        }

        mutating func byte() -> UInt8? {
            guard position < bytes.count else { return nil }
            defer { position += 1 }
            return bytes[position]
        }

        mutating func integer32() -> Int64? {
            guard position + 4 <= bytes.count else { return nil }
            defer { position += 4 }
            return Int64(
                Int32(bitPattern: bytes[position..<position + 4].reduce(UInt32(0)) { $0 << 8 | UInt32($1) }))
        }

        mutating func integer64() -> Int64? {
            guard position + 8 <= bytes.count else { return nil }
            defer { position += 8 }
            return Int64(
                bitPattern: bytes[position..<position + 8].reduce(UInt64(0)) { $0 << 8 | UInt64($1) })
        }

        /// The text between the newlines at the end.
        mutating func footer() -> String? {
            guard byte() == 10, let end = bytes[position...].firstIndex(of: 10), end - position <= 256 else {
                return nil
            }
            return String(decoding: bytes[position..<end], as: UTF8.self)
        }
    }
}
