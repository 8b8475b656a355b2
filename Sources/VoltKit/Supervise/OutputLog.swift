internal import CVoltSystem
internal import Glibc
internal import VoltCore
internal import VoltSystem

/// The output of a payload, one line a record: time, stream, text. Two files bound its size; the first line of each is
/// `#` and its number, so that a reader sees whether it missed one.
struct OutputLog {
    /// The size at which the file becomes the older one, in bytes.
    static let limit = 8 << 20
    /// A longer line is cut into several.
    static let lineLimit = 16 << 10

    private let path: String
    private let copies: Bool
    private var file: Int32
    private var size: Int
    private var number: Int
    private var pending: [String: [UInt8]] = [:]

    /// - Parameter copies: whether the text goes to stdout as well, where the journal of systemd takes it.
    init(path: String, copies: Bool) throws(VoltError) {
        self.path = path
        self.copies = copies
        file = volt_open(path, O_WRONLY | O_CREAT | O_APPEND, 0o600)
        guard file >= 0 else { throw SystemError.current.during("cannot open '\(path)'") }
        size = Int(lseek(file, 0, SEEK_END))
        number = Self.number(size > 0 ? path : "\(path).1") + (size > 0 ? 0 : 1)
        if size == 0 { begin() }
    }

    /// The number of a file; 0 when it has none, as earlier versions wrote it.
    private static func number(_ path: String) -> Int {
        let descriptor = volt_open(path, O_RDONLY, 0)
        guard descriptor >= 0 else { return 0 }
        defer { close(descriptor) }
        var start = [UInt8](repeating: 0, count: 32)
        let count = Glibc.read(descriptor, &start, start.count)
        guard count > 2, start[0] == UInt8(ascii: "#") else { return 0 }
        return Int(String(decoding: start[2..<count].prefix { $0 != 10 }, as: UTF8.self)) ?? 0
    }

    private mutating func begin() {
        let line = Array("# \(number)\n".utf8)
        try? Files.write(line, to: file, named: path)
        size = line.count
    }

    /// Reads what has come from a pipe; false at its end.
    @discardableResult
    mutating func read(_ descriptor: Int32, _ stream: String) -> Bool {
        var buffer = [UInt8](repeating: 0, count: 1 << 16)
        let count = Glibc.read(descriptor, &buffer, buffer.count)
        guard count > 0 else {
            if let rest = pending.removeValue(forKey: stream), !rest.isEmpty { write([rest[...]], stream) }
            return false
        }
        var bytes = (pending.removeValue(forKey: stream) ?? []) + buffer[..<count]
        var lines: [ArraySlice<UInt8>] = []
        var start = 0
        for index in bytes.indices where bytes[index] == 10 || index - start >= Self.lineLimit {
            lines.append(bytes[start..<(bytes[index] == 10 ? index : index + 1)])
            start = index + 1
        }
        write(lines, stream)
        bytes.removeFirst(start)
        pending[stream] = bytes
        return true
    }

    /// Adds a line of this program's own.
    mutating func add(_ line: String, _ stream: String) { write([ArraySlice(line.utf8)], stream) }

    /// Reads what is left in a pipe without waiting for more.
    mutating func drain(_ descriptor: Int32, _ stream: String) {
        while true {
            var check = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
            guard poll(&check, 1, 0) == 1, read(descriptor, stream) else { break }
        }
        if let rest = pending.removeValue(forKey: stream), !rest.isEmpty { write([rest[...]], stream) }
    }

    private mutating func write(_ lines: [ArraySlice<UInt8>], _ stream: String) {
        guard !lines.isEmpty else { return }
        let head = Array("\(SystemClock().now()) \(stream) ".utf8)
        var bytes: [UInt8] = []
        for line in lines { bytes += head + line + [10] }
        // A full disk costs lines of the log, never the container.
        try? Files.write(bytes, to: file, named: path)
        if copies { try? StandardOutput.write(lines.flatMap { $0 + [10] }) }
        size += bytes.count
        guard size >= Self.limit else { return }
        rename(path, "\(path).1")
        close(file)
        file = volt_open(path, O_WRONLY | O_CREAT | O_APPEND, 0o600)
        number += 1
        begin()
    }
}
