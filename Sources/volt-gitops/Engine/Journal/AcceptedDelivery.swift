internal import VoltCore

/// A push that a verified delivery brought to a pipeline.
struct AcceptedDelivery: Sendable, Equatable {
    var pipeline: String
    /// The provider's id.
    var delivery: String?
    var branch: String
    var commit: String?
    var note: String
    var at: Timestamp

    /// Told by both, a delivery is a duplicate.
    var key: String? { delivery.map { "\(pipeline) \($0)" } }

    /// Adds the delivery to a group of the log: the time, then each text behind its length.
    func encode(into bytes: inout [UInt8]) {
        withUnsafeBytes(of: at.milliseconds.littleEndian) { bytes.append(contentsOf: $0) }
        for text in [pipeline, delivery, branch, commit, note] {
            let count = text.map { UInt32($0.utf8.count) } ?? UInt32.max
            withUnsafeBytes(of: count.littleEndian) { bytes.append(contentsOf: $0) }
            if let text { bytes.append(contentsOf: text.utf8) }
        }
    }

    /// The deliveries of a group; those before bytes that make no sense.
    static func decode(_ bytes: [UInt8]) -> [AcceptedDelivery] {
        var reader = Reader(bytes: bytes[...])
        var deliveries: [AcceptedDelivery] = []
        while let at = reader.number(bytes: 8), let pipeline = reader.text(), let delivery = reader.text(),
            let branch = reader.text(), let commit = reader.text(), let note = reader.text(),
            let pipeline, let branch, let note
        {
            deliveries.append(
                AcceptedDelivery(
                    pipeline: pipeline, delivery: delivery, branch: branch, commit: commit, note: note,
                    at: Timestamp(milliseconds: Int64(truncatingIfNeeded: at))))
        }
        return deliveries
    }

    private struct Reader {
        var bytes: ArraySlice<UInt8>

        mutating func number(bytes count: Int) -> UInt64? {
            guard bytes.count >= count else { return nil }
            defer { bytes = bytes.dropFirst(count) }
            return bytes.prefix(count).reversed().reduce(0) { $0 << 8 | UInt64($1) }
        }

        /// A text; nil within the optional for one that was not there.
        mutating func text() -> String?? {
            guard let count = number(bytes: 4) else { return nil }
            guard count != UInt64(UInt32.max) else { return .some(nil) }
            guard bytes.count >= count else { return nil }
            defer { bytes = bytes.dropFirst(Int(count)) }
            return String(decoding: bytes.prefix(Int(count)), as: UTF8.self)
        }
    }
}
