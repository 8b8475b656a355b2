/// How far two words are apart, for suggestions after a typing mistake.
public enum EditDistance {
    /// Restricted Damerau-Levenshtein: insertions, deletions, substitutions and swaps of neighbours.
    public static func between(_ left: some StringProtocol, _ right: some StringProtocol) -> Int {
        let a = Array(left.lowercased().unicodeScalars)
        let b = Array(right.lowercased().unicodeScalars)
        if a.isEmpty || b.isEmpty { return max(a.count, b.count) }
        var beforeLast: [Int] = []
        var last = Array(0...b.count)
        for i in 1...a.count {
            var row = [i]
            for j in 1...b.count {
                let cost = a[i - 1] == b[j - 1] ? 0 : 1
                var best = min(last[j] + 1, row[j - 1] + 1, last[j - 1] + cost)
                if i > 1, j > 1, a[i - 1] == b[j - 2], a[i - 2] == b[j - 1] {
                    best = min(best, beforeLast[j - 2] + 1)
                }
                row.append(best)
            }
            beforeLast = last
            last = row
        }
        return last[b.count]
    }

    /// The candidates within reach of a word, nearest first: one edit for up to 3 letters, two for up
    /// to 6, else three. A candidate that the word is a prefix of counts as no distance.
    public static func suggestions(for word: String, among candidates: some Sequence<String>, limit: Int = 3)
        -> [String]
    {
        let reach = word.count <= 3 ? 1 : word.count <= 6 ? 2 : 3
        let near = Set(candidates).map { candidate in
            (
                candidate,
                word.count > 1 && candidate.hasPrefix(word) ? 0 : between(word, candidate)
            )
        }
        .filter { $0.1 <= reach }
        return near.sorted { ($0.1, $0.0) < ($1.1, $1.0) }.prefix(limit).map(\.0)
    }
}
