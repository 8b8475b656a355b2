internal import CYAML
public import VoltCore

/// What a YAML file may cost to read.
public struct YAMLLimits: Sendable {
    /// Bytes of the file.
    public var bytes = 1 << 20
    /// Levels of nesting.
    public var depth = 64
    /// Nodes, with every alias written out.
    public var nodes = 50_000
    /// Aliases (`*name`).
    public var aliases = 1_000

    /// 1 MiB, 64 levels, 50 000 nodes, 1 000 aliases.
    public init() {}
}

/// Reads YAML with libyaml.
public enum YAML {
    /// The one document of a file.
    ///
    /// - Parameters:
    ///   - bytes: the file; any bytes are safe.
    ///   - file: the name for errors.
    ///   - limits: what it may cost.
    /// - Throws: `VoltError` with file, line and column.
    public static func parse(_ bytes: [UInt8], file: String, limits: YAMLLimits = YAMLLimits())
        throws(VoltError)
        -> YAMLNode
    {
        guard bytes.count <= limits.bytes else {
            throw VoltError(
                .refused, "'\(file)' is larger than \(ByteSize(bytes: UInt64(limits.bytes)))",
                hint: "a definition of a workload is a few kilobytes")
        }
        let parser = UnsafeMutablePointer<yaml_parser_t>.allocate(capacity: 1)
        defer { parser.deallocate() }
        guard yaml_parser_initialize(parser) == 1 else {
            throw VoltError(.failed, "cannot read '\(file)': out of memory")
        }
        defer { yaml_parser_delete(parser) }
        return try withBytes(bytes) { buffer throws(VoltError) in
            yaml_parser_set_input_string(parser, buffer.baseAddress, buffer.count)
            var composer = Composer(parser: parser, file: file, limits: limits)
            return try composer.document()
        }
    }

    // Array.withUnsafeBufferPointer loses the type of the error.
    private static func withBytes<Value>(
        _ bytes: [UInt8], _ body: (UnsafeBufferPointer<UInt8>) throws(VoltError) -> Value
    ) throws(VoltError) -> Value {
        let result: Result<Value, VoltError> = bytes.withUnsafeBufferPointer { buffer in
            do throws(VoltError) { return .success(try body(buffer)) } catch { return .failure(error) }
        }
        return try result.get()
    }
}

/// Builds nodes from libyaml's events.
private struct Composer {
    private enum Event {
        case streamStart, streamEnd, documentStart, documentEnd, sequenceEnd, mappingEnd
        case alias(String)
        case scalar(String, isPlain: Bool, anchor: String?)
        case sequenceStart(anchor: String?)
        case mappingStart(anchor: String?)
    }

    let parser: UnsafeMutablePointer<yaml_parser_t>
    let file: String
    let limits: YAMLLimits
    private var anchors: [String: YAMLNode] = [:]
    private var nodes = 0
    private var aliases = 0

    init(parser: UnsafeMutablePointer<yaml_parser_t>, file: String, limits: YAMLLimits) {
        self.parser = parser
        self.file = file
        self.limits = limits
    }

    mutating func document() throws(VoltError) -> YAMLNode {
        _ = try next()
        let (first, mark) = try next()
        guard case .documentStart = first else { throw failure(mark, "the file is empty") }
        let (event, start) = try next()
        let root = try node(event, start, depth: 0)
        _ = try next()
        let (last, extra) = try next()
        guard case .streamEnd = last else { throw failure(extra, "a second document is not allowed here") }
        return root
    }

    private func failure(_ mark: YAMLMark, _ message: String, hint: String? = nil) -> VoltError {
        VoltError(.failed, "\(mark.file):\(mark.line):\(mark.column): \(message)", hint: hint)
    }

    private mutating func node(_ event: Event, _ mark: YAMLMark, depth: Int) throws(VoltError) -> YAMLNode {
        guard depth < limits.depth else { throw failure(mark, "nested deeper than \(limits.depth) levels") }
        switch event {
        case .alias(let name):
            aliases += 1
            guard aliases <= limits.aliases else {
                throw failure(mark, "more than \(limits.aliases) aliases")
            }
            guard let target = anchors[name] else {
                throw failure(mark, "'*\(name)' names no value above it")
            }
            // An alias nests as deep as what it stands for.
            guard depth + target.height <= limits.depth else {
                throw failure(mark, "nested deeper than \(limits.depth) levels")
            }
            try count(target.weight, mark)
            return YAMLNode(
                content: target.content, mark: mark, weight: target.weight, height: target.height)
        case .scalar(let text, let isPlain, let anchor):
            try count(1, mark)
            return keep(
                YAMLNode(
                    content: .scalar(text: text, isPlain: isPlain), mark: mark, weight: 1, height: 1), anchor)
        case .sequenceStart(let anchor):
            try count(1, mark)
            var items: [YAMLNode] = []
            while true {
                let (event, start) = try next()
                if case .sequenceEnd = event { break }
                items.append(try node(event, start, depth: depth + 1))
            }
            let weight = items.reduce(1) { $0 + $1.weight }
            let height = items.reduce(0) { max($0, $1.height) } + 1
            return keep(
                YAMLNode(content: .sequence(items), mark: mark, weight: weight, height: height), anchor)
        case .mappingStart(let anchor):
            try count(1, mark)
            let entries = try mapping(depth: depth)
            let weight = entries.reduce(1) { $0 + 1 + $1.value.weight }
            let height = entries.reduce(0) { max($0, $1.value.height) } + 1
            return keep(
                YAMLNode(content: .mapping(entries), mark: mark, weight: weight, height: height), anchor)
        case .streamStart, .streamEnd, .documentStart, .documentEnd, .sequenceEnd, .mappingEnd:
            throw failure(mark, "expected a value")
        }
    }

    private mutating func mapping(depth: Int) throws(VoltError) -> [YAMLEntry] {
        var entries: [YAMLEntry] = []
        var lines: [String: Int] = [:]
        while true {
            let (event, mark) = try next()
            if case .mappingEnd = event { return entries }
            let key = try node(event, mark, depth: depth + 1)
            guard case .scalar(let text, let isPlain) = key.content else {
                throw failure(mark, "a key must be a single value, found \(key.kind)")
            }
            if text == "<<", isPlain {
                throw failure(
                    mark, "merge keys ('<<') are not a part of YAML 1.2", hint: "write the keys out")
            }
            if let line = lines[text] {
                throw failure(
                    mark, "key '\(text.prefix(60))' is already set on line \(line)",
                    hint: "remove one of the two")
            }
            lines[text] = mark.line
            let (valueEvent, valueMark) = try next()
            let value = try node(valueEvent, valueMark, depth: depth + 1)
            entries.append(YAMLEntry(key: text, keyMark: mark, value: value))
        }
    }

    private mutating func keep(_ node: YAMLNode, _ anchor: String?) -> YAMLNode {
        if let anchor { anchors[anchor] = node }
        return node
    }

    private mutating func count(_ more: Int, _ mark: YAMLMark) throws(VoltError) {
        nodes += more
        guard nodes <= limits.nodes else {
            throw failure(
                mark, "more than \(limits.nodes) values", hint: "aliases count as often as they are used")
        }
    }

    private func next() throws(VoltError) -> (Event, YAMLMark) {
        var event = yaml_event_t()
        guard yaml_parser_parse(parser, &event) == 1 else { throw syntaxError() }
        defer { yaml_event_delete(&event) }
        let mark = self.mark(event.start_mark)
        switch event.type {
        case YAML_STREAM_START_EVENT: return (.streamStart, mark)
        case YAML_STREAM_END_EVENT, YAML_NO_EVENT: return (.streamEnd, mark)
        case YAML_DOCUMENT_START_EVENT: return (.documentStart, mark)
        case YAML_DOCUMENT_END_EVENT: return (.documentEnd, mark)
        case YAML_SEQUENCE_END_EVENT: return (.sequenceEnd, mark)
        case YAML_MAPPING_END_EVENT: return (.mappingEnd, mark)
        case YAML_ALIAS_EVENT: return (.alias(text(event.data.alias.anchor) ?? ""), mark)
        case YAML_SCALAR_EVENT:
            let scalar = event.data.scalar
            let isString = try isString(tag: text(scalar.tag), mark)
            let bytes = UnsafeBufferPointer(start: scalar.value, count: scalar.length)
            let isPlain = scalar.style == YAML_PLAIN_SCALAR_STYLE && !isString
            return (
                .scalar(
                    String(decoding: bytes, as: UTF8.self), isPlain: isPlain, anchor: text(scalar.anchor)),
                mark
            )
        case YAML_SEQUENCE_START_EVENT:
            try refuse(tag: text(event.data.sequence_start.tag), unless: "tag:yaml.org,2002:seq", mark)
            return (.sequenceStart(anchor: text(event.data.sequence_start.anchor)), mark)
        case YAML_MAPPING_START_EVENT:
            try refuse(tag: text(event.data.mapping_start.tag), unless: "tag:yaml.org,2002:map", mark)
            return (.mappingStart(anchor: text(event.data.mapping_start.anchor)), mark)
        default: throw failure(mark, "cannot be read")
        }
    }

    private func isString(tag: String?, _ mark: YAMLMark) throws(VoltError) -> Bool {
        switch tag {
        case nil: return false
        case "!", "tag:yaml.org,2002:str": return true
        case let tag:
            throw failure(mark, "tag '\(tag ?? "")' is not supported", hint: "write the value without it")
        }
    }

    private func refuse(tag: String?, unless allowed: String, _ mark: YAMLMark) throws(VoltError) {
        if let tag, tag != allowed, tag != "!" {
            throw failure(mark, "tag '\(tag)' is not supported", hint: "write the value without it")
        }
    }

    private func text(_ pointer: UnsafeMutablePointer<yaml_char_t>?) -> String? {
        pointer.map { String(cString: $0) }
    }

    private func mark(_ mark: yaml_mark_t) -> YAMLMark {
        YAMLMark(file: file, line: Int(mark.line) + 1, column: Int(mark.column) + 1)
    }

    private func syntaxError() -> VoltError {
        let problem = parser.pointee.problem.map { String(cString: $0) } ?? "cannot be read"
        if parser.pointee.error == YAML_READER_ERROR {
            return VoltError(
                .failed,
                "\(file): \(problem.prefix(1).lowercased() + problem.dropFirst()) at byte \(parser.pointee.problem_offset)",
                hint: "save the file as UTF-8 text")
        }
        var message = problem
        if let context = parser.pointee.context {
            message += " (\(String(cString: context)) on line \(parser.pointee.context_mark.line + 1))"
        }
        return failure(mark(parser.pointee.problem_mark), message)
    }
}
