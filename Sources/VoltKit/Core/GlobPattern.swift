/// A pattern of names with slashes: `*` and `?` stand for anything but a slash, `**` for anything, slashes too, wherever it
/// stands (`Glob` takes paths that are split, and `**` as a whole name of one).
public struct GlobPattern: Sendable, Equatable {
    private enum Part: Equatable {
        case byte(UInt8)
        /// `?`
        case one
        /// `*`
        case many
        /// `**`
        case all
        /// `**/`, the start: nothing, or what `within` takes.
        case open
        /// Whole directories with the slash at their end.
        case within
    }
    private let parts: [Part]
    /// The pattern as it was written.
    public let text: String

    /// - Throws: `VoltError` with code `usage` when it is empty, too long or has a control character.
    public init(_ text: String) throws(VoltError) {
        guard (1...500).contains(text.utf8.count), text.utf8.allSatisfy({ $0 >= 32 && $0 != 127 }) else {
            throw VoltError(.usage, "a pattern is empty, too long or has a control character")
        }
        self.text = text
        let (star, slash) = (UInt8(ascii: "*"), UInt8(ascii: "/"))
        let bytes = Array(text.utf8) + [0, 0]
        var parts: [Part] = []
        var index = 0
        while bytes[index] != 0 {
            let isStart = index == 0 || bytes[index - 1] == slash
            switch (bytes[index], bytes[index + 1]) {
            case (star, star) where isStart && bytes[index + 2] == slash:
                parts += [.open, .within]
                index += 2
            case (star, star):
                parts.append(.all)
                index += 1
            case (star, _): parts.append(.many)
            case (UInt8(ascii: "?"), _): parts.append(.one)
            case (let byte, _): parts.append(.byte(byte))
            }
            index += 1
        }
        self.parts = parts
    }

    /// Whether the whole name fits. Takes time with the product of both lengths, whatever the pattern.
    public func matches(_ name: some Collection<UInt8>) -> Bool {
        let slash = UInt8(ascii: "/")
        // reached[i]: the parts before the i-th fit what was read.
        var reached = [Bool](repeating: false, count: parts.count + 1)
        reached[0] = true
        skipEmpty(&reached)
        for byte in name {
            var next = [Bool](repeating: false, count: parts.count + 1)
            for (index, part) in parts.enumerated() where reached[index] {
                switch part {
                case .byte(let wanted): if wanted == byte { next[index + 1] = true }
                case .one: if byte != slash { next[index + 1] = true }
                case .many: if byte != slash { next[index] = true }
                case .all: next[index] = true
                case .open: break
                case .within:
                    next[index] = true
                    if byte == slash { next[index + 1] = true }
                }
            }
            skipEmpty(&next)
            guard next.contains(true) else { return false }
            reached = next
        }
        return reached[parts.count]
    }

    /// Goes on past what may stand for nothing.
    private func skipEmpty(_ reached: inout [Bool]) {
        for (index, part) in parts.enumerated() where reached[index] {
            switch part {
            case .many, .all: reached[index + 1] = true
            case .open:
                reached[index + 1] = true
                reached[index + 2] = true
            case .byte, .one, .within: break
            }
        }
    }
}
