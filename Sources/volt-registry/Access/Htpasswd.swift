internal import VoltCore
internal import VoltPassword

/// The users of an Apache htpasswd file with their hashes.
struct Htpasswd: Sendable {
    /// The largest file, in bytes.
    static let longest = 8 << 20

    let hashes: [String: BcryptHash]
    /// What a comparison costs for a user who does not exist: as much as for the dearest of those who do.
    let decoy: BcryptHash

    /// - Parameters:
    ///   - bytes: the file: `name:hash` lines, empty ones, and comments with `#`.
    ///   - path: for errors, which show no hash.
    /// - Throws: `VoltError` with code `usage`, file and line.
    init(_ bytes: [UInt8], path: String) throws(VoltError) {
        var hashes: [String: BcryptHash] = [:]
        var number = 0
        for line in bytes.split(separator: 10, omittingEmptySubsequences: false) {
            number += 1
            var line = line
            if line.last == 13 { line.removeLast() }
            if line.isEmpty || line.first == 35 { continue }
            let parts = line.split(separator: 58, maxSplits: 1, omittingEmptySubsequences: false)
            guard parts.count == 2, let name = String(validating: parts[0], as: UTF8.self), Self.isName(name)
            else {
                throw VoltError(
                    .usage, "\(path):\(number): the line is not a name, a colon and a hash",
                    hint: "add users with: htpasswd -B FILE USER")
            }
            guard name != "anonymous", name != "authenticated" else {
                throw VoltError(.usage, "\(path):\(number): '\(name)' is a word of the rules and no user")
            }
            let hash: BcryptHash
            do throws(VoltError) { hash = try BcryptHash(String(decoding: parts[1], as: UTF8.self)) } catch {
                throw VoltError(
                    .usage, "\(path):\(number): user '\(name)': \(error.message)", hint: error.hint)
            }
            guard hashes.updateValue(hash, forKey: name) == nil else {
                throw VoltError(.usage, "\(path):\(number): user '\(name)' stands here a second time")
            }
        }
        self.hashes = hashes
        decoy = BcryptHash.decoy(cost: hashes.values.map(\.cost).max() ?? 10)
    }

    /// Whether a text can be the name of a user: 1 to 255 bytes, no colon, space or control character.
    static func isName(_ text: String) -> Bool {
        (1...255).contains(text.utf8.count)
            && text.unicodeScalars.allSatisfy {
                $0 != ":" && $0.value > 32 && !(127...160).contains($0.value)
            }
    }
}
