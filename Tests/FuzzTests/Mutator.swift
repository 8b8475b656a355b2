import FuzzTargets

/// Changes bytes by a seed: the same seed gives the same inputs on every machine.
struct Mutator {
    private var state: UInt64
    private let words: [[UInt8]]
    private let corpus: [[UInt8]]

    init(seed: UInt64, words: [String], corpus: [[UInt8]]) {
        state = seed
        self.words = words.map { Array($0.utf8) }
        self.corpus = corpus.isEmpty ? [[]] : corpus
    }

    /// SplitMix64 (Steele, Lea, Flood).
    private mutating func number() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var value = state
        value = (value ^ (value >> 30)) &* 0xBF58_476D_1CE4_E5B9
        value = (value ^ (value >> 27)) &* 0x94D0_49BB_1331_11EB
        return value ^ (value >> 31)
    }

    private mutating func number(below limit: Int) -> Int { Int(number() % UInt64(max(limit, 1))) }

    /// The next input: one of the corpus with one to eight changes.
    mutating func next() -> [UInt8] {
        var bytes = corpus[number(below: corpus.count)]
        for _ in 0...number(below: 8) { change(&bytes) }
        return bytes
    }

    private mutating func change(_ bytes: inout [UInt8]) {
        let place = number(below: bytes.count + 1)
        let length = min(number(below: 16), bytes.count - place)
        switch number(below: 11) {
        case 0 where place < bytes.count: bytes[place] = UInt8(truncatingIfNeeded: number())
        case 1 where place < bytes.count: bytes[place] ^= 1 << UInt8(number(below: 8))
        case 2: bytes.removeSubrange(place..<place + length)
        case 3: bytes.removeSubrange(place...)
        case 4: bytes.insert(contentsOf: bytes[place..<place + length], at: number(below: bytes.count + 1))
        case 5:
            let repeated = [UInt8](
                repeating: UInt8(truncatingIfNeeded: number()), count: 1 << number(below: 12))
            bytes.insert(contentsOf: repeated, at: place)
        case 6:
            let other = corpus[number(below: corpus.count)]
            bytes.replaceSubrange(place..., with: other.suffix(number(below: other.count + 1)))
        case 7, 8: EdgeNumbers.mutate(&bytes, number())
        default:
            guard !words.isEmpty else { return }
            bytes.insert(contentsOf: words[number(below: words.count)], at: place)
        }
    }
}
