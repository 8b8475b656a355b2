public import VoltCore

/// The user of a payload, looked up in the files of the image.
public struct PayloadUser: Sendable, Equatable {
    /// The user id.
    public var user: UInt32
    /// The group id.
    public var group: UInt32
    /// The supplementary groups.
    public var groups: [UInt32]
    /// The home directory.
    public var home: String

    /// Looks a user up as `docker run --user` does: `""`, `1000`, `1000:1000`, `nobody` or `nobody:nogroup`.
    ///
    /// - Parameters:
    ///   - text: the user as written.
    ///   - passwd: the bytes of `/etc/passwd` of the image, empty when it has none.
    ///   - groupFile: the bytes of `/etc/group` of the image.
    /// - Throws: `VoltError` when a name is not in its file, or a number is none that something can be run as
    ///   (`AccountNumber`), also one in the files.
    public init(_ text: String, passwd: [UInt8], groupFile: [UInt8]) throws(VoltError) {
        let parts = text.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false).map(
            String.init)
        let wanted = parts.first.flatMap { $0.isEmpty ? nil : $0 } ?? "0"
        let users = Self.table(passwd, fields: 6)
        let entry: [String]?
        if let number = try AccountNumber.parse(wanted) {
            entry = users.first { (try? AccountNumber.parse($0[2])) == number }
            user = number
        } else {
            entry = users.first { $0[0] == wanted }
            guard
                let number = try entry.flatMap({ entry throws(VoltError) in
                    try Self.number(entry[2], of: entry)
                })
            else {
                throw VoltError(
                    .failed, "user '\(wanted)' is not in /etc/passwd of the image",
                    hint: "write its number instead")
            }
            user = number
        }
        home = entry.map { $0[5] } ?? "/"
        if home.isEmpty { home = "/" }
        let groupTable = Self.table(groupFile, fields: 3)
        if parts.count == 2, !parts[1].isEmpty {
            if let number = try AccountNumber.parse(parts[1]) {
                group = number
            } else if let found = groupTable.first(where: { $0[0] == parts[1] }),
                let number = try Self.number(found[2], of: found)
            {
                group = number
            } else {
                throw VoltError(
                    .failed, "group '\(parts[1])' is not in /etc/group of the image",
                    hint: "write its number instead")
            }
            groups = []
            return
        }
        group = 0
        if let entry, let number = try Self.number(entry[3], of: entry) { group = number }
        groups = []
        guard let name = entry?[0] else { return }
        for fields in groupTable where fields.count > 3 {
            guard fields[3].split(separator: ",").contains(where: { $0 == name }),
                let number = try Self.number(fields[2], of: fields)
            else { continue }
            groups.append(number)
        }
    }

    /// A number in a line of the image's files; nil when it is none at all.
    private static func number(_ text: String, of line: [String]) throws(VoltError) -> UInt32? {
        do throws(VoltError) { return try AccountNumber.parse(text) } catch {
            throw VoltError(
                error.code, "'\(line[0])' has the number '\(text)' in the image, which nothing can be run as",
                hint: error.hint)
        }
    }

    private static func table(_ bytes: [UInt8], fields: Int) -> [[String]] {
        bytes.split(separator: UInt8(ascii: "\n")).map { line in
            line.split(separator: UInt8(ascii: ":"), omittingEmptySubsequences: false)
                .map { String(decoding: $0, as: UTF8.self) }
        }.filter { $0.count >= fields }
    }
}
