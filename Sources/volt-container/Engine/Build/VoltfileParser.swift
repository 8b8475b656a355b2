internal import FoundationEssentials
internal import VoltCore

extension Voltfile {
    /// Parses a Voltfile; every instruction is checked before any of them is carried out.
    ///
    /// - Parameters:
    ///   - bytes: the file.
    ///   - file: its name, for errors.
    /// - Throws: `VoltError` with file and line.
    init(bytes: [UInt8], file: String = Voltfile.fileName) throws(VoltError) {
        guard bytes.count <= 1 << 20 else { throw Self.failure(file, 1, "the file is larger than 1M") }
        guard let text = String(validating: bytes, as: UTF8.self), !text.utf8.contains(0) else {
            throw Self.failure(file, 1, "the file is not UTF-8 text")
        }
        let lines = LogicalLines(text, file: file)
        var steps: [Step] = []
        var parser = InstructionParser(file: file, escape: lines.escape)
        for line in lines.lines { steps.append(try parser.parse(line)) }
        guard parser.hasFrom else {
            throw Self.failure(
                file, max(1, lines.lines.first?.number ?? 1), "there is no FROM",
                hint: "begin with 'FROM image' or 'FROM scratch'")
        }
        self.steps = steps
        self.file = file
        escape = lines.escape
    }
}

/// Lines with their continuations joined and comments taken out.
struct LogicalLines {
    struct Line: Equatable {
        let number: Int
        let text: String
    }

    private(set) var lines: [Line] = []
    private(set) var escape: Character = "\\"

    init(_ text: String, file: String) {
        let body = text.hasPrefix("\u{feff}") ? String(text.dropFirst()) : text
        let physical = body.split(omittingEmptySubsequences: false) { $0 == "\n" || $0 == "\r\n" }.map(
            String.init)
        var mayBeDirective = true
        var current: (number: Int, text: String)?
        for (index, line) in physical.enumerated() {
            let trimmed = line.trimming()
            if trimmed.hasPrefix("#") {
                if mayBeDirective { mayBeDirective = directive(trimmed) }
                continue
            }
            mayBeDirective = false
            // Empty lines inside of a continued instruction are skipped, as Docker has it.
            if trimmed.isEmpty { continue }
            let (part, continues) = continuation(line)
            if let open = current {
                current = (open.number, open.text + part)
            } else {
                current = (index + 1, part)
            }
            if !continues, let done = current {
                lines.append(Line(number: done.number, text: done.text.trimming()))
                current = nil
            }
        }
        if let open = current { lines.append(Line(number: open.number, text: open.text.trimming())) }
    }

    /// Reads `# key=value` on the first lines; gives whether more may follow.
    private mutating func directive(_ comment: String) -> Bool {
        let parts = comment.dropFirst().split(separator: "=", maxSplits: 1).map {
            String($0).trimming().lowercased()
        }
        guard parts.count == 2, !parts[0].contains(" ") else { return false }
        if parts[0] == "escape", parts[1] == "`" { escape = "`" }
        return parts[0] == "escape" || parts[0] == "syntax" || parts[0] == "check"
    }

    private func continuation(_ line: String) -> (String, Bool) {
        var end = line[...]
        while let last = end.last, last == " " || last == "\t" || last == "\r" { end.removeLast() }
        guard end.last == escape else { return (line, false) }
        return (String(end.dropLast()), true)
    }
}

/// Turns one line into a step.
struct InstructionParser {
    let file: String
    let escape: Character
    private(set) var hasFrom = false

    init(file: String, escape: Character) {
        self.file = file
        self.escape = escape
    }

    mutating func parse(_ line: LogicalLines.Line) throws(VoltError) -> Voltfile.Step {
        let word = String(line.text.prefix { $0 != " " && $0 != "\t" })
        let name = word.uppercased()
        let rest = String(line.text.dropFirst(word.count)).trimming()
        guard Voltfile.supported.contains(name) else {
            let near = EditDistance.suggestions(for: name, among: Voltfile.supported, limit: 1).first
            throw failure(
                line, "'\(word.prefix(40))' is not supported",
                hint: (near.map { "did you mean \($0)? " } ?? "")
                    + "supported are \(Voltfile.supported.joined(separator: ", "))")
        }
        guard !rest.isEmpty else { throw failure(line, "\(name) needs an argument") }
        guard hasFrom || name == "FROM" || name == "ARG" else {
            throw failure(line, "\(name) comes before FROM", hint: "only ARG may stand before FROM")
        }
        let action = try action(name, rest, line)
        return Voltfile.Step(line: line.number, text: Self.oneLine("\(name) \(rest)"), action: action)
    }

    private mutating func action(_ name: String, _ rest: String, _ line: LogicalLines.Line) throws(VoltError)
        -> Voltfile.Action
    {
        switch name {
        case "FROM": return try from(rest, line)
        case "ARG":
            return .arguments(
                try words(rest, line).map { word throws(VoltError) in
                    try assignment(word, line, needsValue: false)
                })
        case "ENV": return .environment(try assignments(rest, line))
        case "LABEL": return .labels(try assignments(rest, line))
        case "WORKDIR": return .workdir(rest)
        case "USER":
            guard try words(rest, line).count == 1 else { throw failure(line, "USER takes one user") }
            return .user(rest)
        case "EXPOSE": return .expose(try words(rest, line))
        case "COPY", "ADD": return .copy(try copy(rest, line, unpacks: name == "ADD"))
        case "RUN":
            if let option = rest.split(separator: " ").first, option.hasPrefix("--") {
                throw failure(line, "'RUN \(option.prefix(40))' is not supported")
            }
            try refuseHereDocument(rest, line)
            return .run(try command(rest, line))
        case "CMD": return .command(try command(rest, line))
        default: return .entrypoint(try command(rest, line))
        }
    }

    private mutating func from(_ rest: String, _ line: LogicalLines.Line) throws(VoltError) -> Voltfile.Action
    {
        guard !hasFrom else { throw failure(line, "a second FROM: more than one stage is not supported") }
        let parts = try words(rest, line)
        if let option = parts.first, option.hasPrefix("--") {
            throw failure(line, "'FROM \(option.prefix(40))' is not supported")
        }
        guard parts.count == 1 || (parts.count == 3 && parts[1].uppercased() == "AS") else {
            throw failure(line, "FROM takes an image", hint: "write 'FROM image' or 'FROM image AS name'")
        }
        hasFrom = true
        return .from(image: parts[0])
    }

    private func assignments(_ rest: String, _ line: LogicalLines.Line) throws(VoltError) -> [Voltfile
        .Assignment]
    {
        let parts = try words(rest, line)
        if let first = parts.first, !first.contains("=") {
            // The old form: a name, and the rest of the line as its value.
            let value = String(rest.dropFirst(first.count)).trimming()
            guard !value.isEmpty else {
                throw failure(line, "'\(first.prefix(40))' has no value", hint: "write name=value")
            }
            return [Voltfile.Assignment(name: first, value: value)]
        }
        return try parts.map { part throws(VoltError) in try assignment(part, line, needsValue: true) }
    }

    private func assignment(_ text: String, _ line: LogicalLines.Line, needsValue: Bool) throws(VoltError)
        -> Voltfile.Assignment
    {
        let parts = text.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false).map(
            String.init)
        guard !parts[0].isEmpty, parts.count == 2 || !needsValue else {
            throw failure(line, "'\(text.prefix(40))' is not name=value")
        }
        if !needsValue, !parts[0].utf8.allSatisfy({ Words.isNameByte($0) }) {
            throw failure(line, "'\(parts[0].prefix(40))' is not the name of an argument")
        }
        return Voltfile.Assignment(name: parts[0], value: parts.count == 2 ? parts[1] : nil)
    }

    private func copy(_ rest: String, _ line: LogicalLines.Line, unpacks: Bool) throws(VoltError)
        -> Voltfile.Copy
    {
        let name = unpacks ? "ADD" : "COPY"
        var copy = Voltfile.Copy(unpacks: unpacks, sources: [], destination: "")
        var text = rest
        while text.hasPrefix("--") {
            let option = String(text.prefix { $0 != " " && $0 != "\t" })
            text = String(text.dropFirst(option.count)).trimming()
            let parts = option.split(separator: "=", maxSplits: 1).map(String.init)
            switch (parts[0], parts.count) {
            case ("--chown", 2): copy.owner = parts[1]
            case ("--chmod", 2):
                guard let mode = UInt32(parts[1], radix: 8), mode <= 0o7777 else {
                    throw failure(
                        line, "'\(parts[1].prefix(20))' is not an octal mode",
                        hint: "write a mode such as 755")
                }
                copy.mode = mode
            default:
                throw failure(
                    line, "'\(name) \(parts[0].prefix(40))' is not supported",
                    hint: "supported are --chown=USER:GROUP and --chmod=MODE")
            }
        }
        try refuseHereDocument(text, line)
        var paths = text.hasPrefix("[") ? try json(text, line) : try words(text, line)
        guard paths.count >= 2, let destination = paths.popLast() else {
            throw failure(line, "\(name) needs a source and a destination")
        }
        for path in paths
        where ["http://", "https://", "ftp://", "git@", "git://"].contains(where: {
            path.lowercased().hasPrefix($0)
        }) {
            throw failure(
                line, "\(name) of a URL is not supported",
                hint: "put the file into the source, or fetch it with RUN")
        }
        copy.sources = paths
        copy.destination = destination
        return copy
    }

    private func refuseHereDocument(_ text: String, _ line: LogicalLines.Line) throws(VoltError) {
        for word in text.split(whereSeparator: { $0 == " " || $0 == "\t" }) {
            let name = word.drop { $0.isNumber }
            guard name.hasPrefix("<<"), !name.hasPrefix("<<<") else { continue }
            let tag = name.dropFirst(2).drop { $0 == "-" || $0 == "\"" || $0 == "'" }
            if let first = tag.first, first.isLetter || first == "_" {
                throw failure(line, "here-documents are not supported")
            }
        }
    }

    private func command(_ rest: String, _ line: LogicalLines.Line) throws(VoltError) -> Voltfile.Command {
        guard rest.hasPrefix("[") else { return .shell(rest) }
        // A text in brackets that is no JSON is a command for the shell, such as `[ -f x ] && y`.
        guard let words = try? json(rest, line) else { return .shell(rest) }
        guard !words.isEmpty else { throw failure(line, "the command is empty") }
        return .words(words)
    }

    private func json(_ text: String, _ line: LogicalLines.Line) throws(VoltError) -> [String] {
        do { return try JSONDecoder().decode([String].self, from: Data(text.utf8)) } catch {
            throw failure(line, "'\(text.prefix(40))' is not a JSON list of texts")
        }
    }

    private func words(_ text: String, _ line: LogicalLines.Line) throws(VoltError) -> [String] {
        guard let words = Words.split(text, escape: escape) else {
            throw failure(line, "a quotation mark is not closed")
        }
        return words
    }

    private func failure(_ line: LogicalLines.Line, _ message: String, hint: String? = nil) -> VoltError {
        Voltfile.failure(file, line.number, message, hint: hint)
    }

    private static func oneLine(_ text: String) -> String {
        text.split { $0 == " " || $0 == "\t" || $0 == "\n" }.joined(separator: " ")
    }
}

extension String {
    /// Without spaces, tabs and carriage returns at both ends.
    func trimming() -> String {
        let isSpace = { (character: Character) in character == " " || character == "\t" || character == "\r" }
        var text = self[...].drop(while: isSpace)
        while let last = text.last, isSpace(last) { text.removeLast() }
        return String(text)
    }
}
