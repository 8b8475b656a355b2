import Testing
import VoltCore
import VoltPassword

@Suite struct BcryptHashTests {
    // Made with: htpasswd -nbB -C 5 u 'correct horse'
    private static let hash = "$2y$05$kk3Xbyt2aj4rI/JdafFuMOJXIGCI9P.ZlhOmWnigLRXzYucJGM3Gq"

    @Test("a password has its hash, and no other one does")
    func matches() throws {
        let hash = try BcryptHash(Self.hash)
        #expect(hash.cost == 5)
        #expect(hash.matches(Array("correct horse".utf8)))
        for wrong in ["", "correct hors", "correct horse ", "Correct horse", "correct horse\0"] {
            #expect(!hash.matches(Array(wrong.utf8)), "\(wrong)")
        }
        #expect(!hash.matches([UInt8](repeating: 97, count: BcryptHash.longestPassword + 1)))
    }

    @Test("the three prefixes of bcrypt are taken", arguments: ["$2a$", "$2b$", "$2y$"])
    func prefixes(prefix: String) throws {
        #expect(try BcryptHash(prefix + Self.hash.dropFirst(4)).matches(Array("correct horse".utf8)))
    }

    @Test(
        "other hashes are refused with the way out, and are not shown",
        arguments: [
            "$apr1$abcdefgh$0123456789012345678901", "{SHA}W6ph5Mm5Pz8GgiULbPgzG37mj9g=", "plain", "",
            "$2x$05$" + String(repeating: "a", count: 53), "$2y$05$short",
            "$2y$05$" + String(repeating: "a", count: 52) + "!",
            "$2y$31$" + String(repeating: "a", count: 53), "$2y$03$" + String(repeating: "a", count: 53),
        ])
    func refused(text: String) throws {
        let error = #expect(throws: VoltError.self) { try BcryptHash(text) }
        #expect(error?.code == .refused)
        #expect(error?.hint?.contains("htpasswd -B") == true)
        #expect(text.count < 6 || error?.message.contains(text) == false)
    }

    @Test("a decoy costs what it says and has no password")
    func decoy() {
        #expect(BcryptHash.decoy(cost: 5).cost == 5)
        #expect(BcryptHash.decoy(cost: 99).cost == BcryptHash.highestCost)
        #expect(!BcryptHash.decoy(cost: 4).matches(Array("anything".utf8)))
        // The same work as a real one: within a factor of four, also on a busy machine.
        let clock = ContinuousClock()
        let real = (try? BcryptHash("$2y$10$" + Self.hash.dropFirst(7))) ?? .decoy(cost: 10)
        let word = Array("correct".utf8)
        let one = clock.measure { for _ in 0..<3 { _ = real.matches(word) } }
        let two = clock.measure { for _ in 0..<3 { _ = BcryptHash.decoy(cost: 10).matches(word) } }
        #expect(one < two * 4 && two < one * 4, "\(one) and \(two)")
    }
}
